"""Encodings of positions, against their formulas."""

import copy
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
from optshare import Chain, LearnedEncoding, RotaryEncoding, SinusoidalEncoding
from optshare.errors import DataError
from optshare.layers import encodings
from tests.unit.layers.attention_cases import ENGINES, HOSTED, drawn, host, on


def sinusoids(time, features):
    """By the formula, one number at a time."""
    table = np.zeros((time, features))
    for t in range(time):
        for place in range(features):
            angle = t / 10000 ** ((place - place % 2) / features)
            table[t, place] = np.cos(angle) if place % 2 else np.sin(angle)
    return table


def turned(x):
    """Pairs (i, i + features / 2) as complex numbers, times exp(i t w)."""
    half = x.shape[-1] // 2
    pairs = x[..., :half] + 1j * x[..., half:]
    frequencies = 10000.0 ** (-np.arange(half) / half)
    pairs = pairs * np.exp(1j * np.arange(x.shape[-2])[:, None] * frequencies)
    return np.concatenate([pairs.real, pairs.imag], axis=-1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(2, 5, 6), (3, 7), (1, 1, 1), (2, 4, 3, 6), (2, 0, 4)])
def test_sinusoids_are_those_of_the_paper_also_of_odd_sizes(engine, shape, deviation):
    wanted = drawn(*shape) + sinusoids(*shape[-2:])
    with on(engine, drawn(*shape)) as (x,):
        assert deviation(wanted, host(SinusoidalEncoding()(x))) <= 1e-13


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(2, 5, 6), (3, 2), (1, 1, 4), (2, 4, 300, 6), (2, 0, 4)])
def test_a_rotation_is_a_product_of_complex_numbers(engine, shape, deviation):
    with on(engine, drawn(*shape)) as (x,):
        assert deviation(turned(drawn(*shape)), host(RotaryEncoding()(x))) <= 1e-13


def test_turned_products_depend_on_the_distance_alone(deviation):
    query, key = (RotaryEncoding()(np.broadcast_to(drawn(8, seed=i), (9, 8))) for i in (0, 1))
    products = query @ key.T
    for distance in range(-8, 9):
        diagonal = np.diagonal(products, distance)
        assert deviation(np.full_like(diagonal, diagonal[0]), diagonal) <= 1e-13
    assert len({round(each, 9) for each in products[0]}) == 9


@pytest.mark.parametrize("engine", HOSTED)
@pytest.mark.parametrize("encoding", [SinusoidalEncoding(), RotaryEncoding()])
def test_fixed_encodings_are_differentiated(engine, encoding):
    with on(engine, drawn(2, 3, 4)) as (x,):
        optshare.gradcheck(encoding, x, order=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_learned_positions_are_added_and_their_gradients_summed_over_the_batch(engine):
    layer = optshare.to(LearnedEncoding(5, 4, dtype=np.float64), engine)
    values = host(layer.weight.value)
    with on(engine, drawn(2, 3, 4), drawn(2, 3, 4, seed=1)) as (x, weigh):
        np.testing.assert_array_equal(host(layer(x)), drawn(2, 3, 4) + values[:3])
        g = optshare.gradient(lambda x: (layer(x) * weigh).sum(), x, wrt=(0, layer))
    summed = drawn(2, 3, 4, seed=1).sum(0)
    np.testing.assert_allclose(host(g[layer.weight])[:3], summed, rtol=1e-14)
    assert not host(g[layer.weight])[3:].any()
    np.testing.assert_array_equal(host(g[0]), drawn(2, 3, 4, seed=1))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("engine", HOSTED)
def test_narrow_dtypes_stay_and_are_rounded_once(engine, dtype):
    zeros, ones = np.zeros((5, 6), dtype), np.ones((5, 2), dtype)
    with on(engine, zeros, ones) as (nothing, one):
        found, rotated = host(SinusoidalEncoding()(nothing)), host(RotaryEncoding()(one))
    np.testing.assert_array_equal(found, sinusoids(5, 6).astype(dtype), strict=True)
    assert rotated.dtype == dtype
    np.testing.assert_allclose(rotated, turned(np.ones((5, 2))), atol=2 * np.finfo(dtype).eps)


def test_bfloat16_stays_too():
    x = torch.ones(3, 4, dtype=torch.bfloat16)
    for layer in SinusoidalEncoding(), RotaryEncoding():
        assert layer(x).dtype == torch.bfloat16


def test_tables_are_computed_once_for_each_length(monkeypatch):
    calls = []
    angles = encodings._angles

    def counting(*args):
        calls.append(args)
        return angles(*args)

    monkeypatch.setattr(encodings, "_angles", counting)
    for _ in range(3):
        for time in 41, 43:
            for layer in SinusoidalEncoding(), RotaryEncoding():
                layer(np.ones((2, time, 10)))
    assert sorted(calls) == [(41, 10)] * 2 + [(43, 10)] * 2


def test_they_can_be_traced():
    x = jnp.asarray(drawn(2, 3, 4))
    for layer in SinusoidalEncoding(4), RotaryEncoding():
        np.testing.assert_allclose(jax.jit(layer)(x), layer(drawn(2, 3, 4)), atol=1e-14)


def test_the_features_of_learned_positions_may_be_left_out(backend):
    layer = LearnedEncoding(5)
    model = Chain(layer)
    assert layer.weight.shape == (5, None)
    x = np.ones((2, 3, 4), np.float32)
    assert model(x).dtype == np.float32
    assert layer.weight.shape == (5, 4)
    assert layer.weight.value.any()
    twin = copy.deepcopy(layer)
    np.testing.assert_array_equal(twin(x), layer(x))
    assert twin.weight is not layer.weight


def test_repr_and_equality_are_those_of_what_was_asked_for():
    for shown in (
        "SinusoidalEncoding()",
        "SinusoidalEncoding(4)",
        "LearnedEncoding(5)",
        "LearnedEncoding(5, 4)",
        "RotaryEncoding()",
    ):
        assert repr(eval(shown)) == shown
        assert eval(shown) == eval(shown)
    assert SinusoidalEncoding() != SinusoidalEncoding(4)
    assert LearnedEncoding(5) != LearnedEncoding(6)


@pytest.mark.parametrize(
    ("layer", "x", "essence"),
    [
        (SinusoidalEncoding(4), np.ones((2, 3)), "SinusoidalEncoding(4) needs sequences"),
        (SinusoidalEncoding(4), np.ones((2, 3)), "(..., time, 4), not one of shape (2, 3)"),
        (SinusoidalEncoding(), np.ones(3), "(..., time, features), not one of shape (3,)"),
        (SinusoidalEncoding(), np.ones((2, 3), int), "floating numbers, not an array of int64"),
        (LearnedEncoding(5, 4), np.ones((2, 6, 4)), "sequences of at most 5 positions, not"),
        (LearnedEncoding(5), np.ones((2, 6, 4)), "sequences of at most 5 positions, not"),
        (
            LearnedEncoding(5, 4),
            np.ones((2, 3, 3)),
            "(..., time, 4), not one of shape (2, 3, 3)",
        ),
        (LearnedEncoding(5, 4), [[1.0] * 4], "floating numbers, not a list"),
        (
            RotaryEncoding(),
            np.ones((2, 3)),
            "even number of features, not one of",
        ),
        (RotaryEncoding(), np.ones(4), "(..., time, features), not one of shape (4,)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_and_changes_nothing(layer, x, essence):
    built = [each.built for each in optshare.params(layer)]
    with pytest.raises(DataError, match=re.escape(essence)):
        layer(x)
    assert [each.built for each in optshare.params(layer)] == built


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="features must be a whole number, at least 1, not 0"):
        SinusoidalEncoding(0)
    with pytest.raises(DataError, match="length must be a whole number, at least 1, not -1"):
        LearnedEncoding(-1)
    with pytest.raises(TypeError, match=r"LearnedEncoding\(length, features\), not \(\)"):
        LearnedEncoding()
