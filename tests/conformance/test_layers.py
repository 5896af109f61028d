"""PyTorch's numbers in the kit are those that PyTorch has, for every layer there is."""

import inspect
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optshare import layers
from optshare.layers import Layer, Model
from optshare.testing import CHECKS, Subject
from optshare.testing.layer_cases import CASES, attention, images, layers_of, normalising, recurrent
from optshare.testing.layer_cases.torch_numbers import FILE, stored
from tests.conformance.torch_layers import COUNTERPARTS
from tests.conformance.write_layers import COMMAND, computed

LARGEST = 300_000
"""Bytes of PyTorch's numbers in the kit."""
HOSTED = ["tape", "functional", "autograd", "torch"]
"""The engines that compile nothing."""


@pytest.mark.parametrize("name", CASES)
def test_the_stored_numbers_are_those_that_pytorch_has(name):
    found, wanted = stored()[name], computed(CASES[name])
    assert sorted(found) == sorted(wanted), f"run {COMMAND}"
    largest = max(np.abs(each).max(initial=1.0) for each in wanted.values())
    for what, each in wanted.items():
        np.testing.assert_allclose(found[what], each, rtol=1e-13, atol=1e-13 * largest)


def test_there_are_numbers_and_a_check_for_every_case_and_nothing_else():
    assert set(stored()) == set(CASES) == set(COUNTERPARTS)
    assert {f"layer.{name}" for name in CASES} <= set(CHECKS)


def test_every_layer_has_a_case():
    public = {name: getattr(layers, name) for name in layers.__all__}
    made = {
        name
        for name, each in public.items()
        if inspect.isclass(each) and issubclass(each, Layer) and each not in (Layer, Model)
    }
    assert len(made) > 25
    assert set().union(*map(layers_of, CASES.values())) == made


def test_every_activation_has_a_case():
    functions = {
        each for each in layers.__all__ if getattr(layers, each).__module__.endswith("activations")
    }
    assert len(functions) > 19
    assert {f"activation.{each}" for each in functions} <= set(CASES)


def test_the_numbers_are_few():
    assert FILE.stat().st_size < LARGEST


def test_numbers_differ_between_cases_inputs_and_parameters():
    firsts = [array.flat[0] for case in CASES.values() for array in case.arrays() if array.size]
    drawn = [each for each in firsts if isinstance(each, float) and abs(each) < 1]
    assert len(set(drawn)) > 0.9 * len(drawn) > 100


@st.composite
def grown(draw):
    """A case with another batch, and with more places or steps."""
    case = CASES[
        draw(st.sampled_from([n for n, c in CASES.items() if len(c.drawn) == len(c.inputs)]))
    ]
    batch, more = draw(st.integers(1, 4)), draw(st.lists(st.integers(0, 3), min_size=3, max_size=3))
    shapes = [_grown(case.name, shape, batch, more) for shape in case.inputs]
    return replace(case, inputs=tuple(shapes))


def _grown(name, shape, batch, more):
    _, *rest = shape
    if name in images.CASES:
        return (batch, rest[0], *(n + k for n, k in zip(rest[1:], more, strict=False)))
    if name in normalising.CASES:
        return (batch + 1, *rest)  # a variance is one of several
    steps = name in recurrent.CASES or name in attention.CASES
    if steps and len(rest) == 2 and not name.startswith("learned"):
        return (batch, rest[0] + more[0], rest[1])
    return (batch, *rest)


@pytest.mark.parametrize("engine", HOSTED)
@given(case=grown())
@settings(max_examples=60, deadline=None)
def test_other_batches_places_and_steps_have_pytorchs_numbers_too(engine, case):
    numbers = {case.name: computed(case)}
    with patch("optshare.testing.layer_cases.torch_numbers.stored", lambda: numbers):
        CHECKS[f"layer.{case.name}"].body(Subject(engine), case)
