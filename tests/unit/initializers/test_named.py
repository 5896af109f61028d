"""Initialisers by name, and the checks on what any function gives."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch

import optshare
from optshare import initializers
from optshare.errors import InitializerError, OptshareError
from optshare.initializers import constant, drawn, generator, named


def test_a_name_is_the_function_of_that_name():
    for name in ("glorot_uniform", "kaiming_normal", "lecun_uniform", "orthogonal", "sparse",
                 "truncated_normal", "identity", "zeros", "ones", "normal", "uniform"):  # fmt: skip
        assert named(name) is getattr(initializers, name)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("he_normal", "kaiming_normal"), ("he_uniform", "kaiming_uniform"),
     ("xavier_normal", "glorot_normal"), ("xavier_uniform", "glorot_uniform")],
)  # fmt: skip
def test_a_synonym_is_the_same_function(name, ours):
    assert named(name) is getattr(initializers, ours)


def test_a_function_is_taken_as_it_is():
    init = partial(initializers.normal, std=0.1)
    assert named(init) is init


def test_an_unknown_name_is_refused_with_the_choices():
    with pytest.raises(InitializerError, match=r"'glorot_unifrom'; choices: glorot_uniform \(did"):
        named("glorot_unifrom")
    assert issubclass(InitializerError, ValueError)
    assert issubclass(InitializerError, OptshareError)


@pytest.mark.parametrize("bad", [None, 3, 0.5, ["zeros"]])
def test_what_is_neither_name_nor_function_is_refused(bad):
    with pytest.raises(InitializerError, match=r"a function init.* or a name, not"):
        named(bad)


def test_drawn_takes_names_and_functions_and_casts():
    rng = np.random.default_rng(0)
    found = drawn("normal", (3, 2), np.float16, rng)
    wanted = np.random.default_rng(0).normal(0, 1, (3, 2)).astype(np.float16)
    np.testing.assert_array_equal(found, wanted, strict=True)
    found = drawn(lambda shape, dtype, rng: [[1, 2]], (1, 2), "float32", rng)
    np.testing.assert_array_equal(found, np.array([[1, 2]], np.float32), strict=True)


def test_drawn_takes_the_seeded_generator_by_default():
    optshare.seed(5)
    found = drawn("uniform", (4,), np.float64)
    optshare.seed(5)
    np.testing.assert_array_equal(found, generator().uniform(size=4))


def test_what_is_drawn_is_not_the_functions_own_array():
    kept = np.ones(2)
    found = drawn(lambda shape, dtype, rng: kept, (2,), np.float64)
    found[:] = 0
    assert kept.tolist() == [1, 1]


@pytest.mark.parametrize("given", [np.zeros((2, 3)), np.zeros(6), 1.0])
def test_a_wrong_shape_is_refused(given):
    def mine(shape, dtype, rng):
        return given

    with pytest.raises(InitializerError, match=r"initialiser mine gave an array of shape .*, not"):
        drawn(mine, (3, 2), np.float32)


def test_what_cannot_be_cast_is_refused():
    with pytest.raises(InitializerError, match="complex128, which cannot be cast to float32"):
        drawn(lambda *_: np.zeros(2, complex), (2,), np.float32)
    with pytest.raises(InitializerError, match="cannot be cast"):
        drawn(lambda *_: np.array(["a", "b"]), (2,), np.float32)
    with pytest.raises(InitializerError, match="gave no array"):
        drawn(lambda *_: [[1.0], [1.0, 2.0]], (2,), np.float32)
    with pytest.raises(InitializerError, match="gave no array"):
        drawn(lambda *_: torch.ones(2, requires_grad=True), (2,), np.float32)


def test_a_constant_can_be_pickled():
    init = pickle.loads(pickle.dumps(constant(2.0)))
    assert drawn(init, (2,), np.float32).tolist() == [2.0, 2.0]
