"""`max_pool` and `mean_pool`: primitives and fallbacks, against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from optshare.extend import complete
from optshare_arrays import namespace, ops

fallbacks = complete(namespace)

CASES = {  # shape of x, window, options
    "line": ((2, 3, 8), 2, {}),
    "plane": ((2, 3, 6, 4), 2, {}),
    "volume": ((2, 2, 4, 6, 2), 2, {}),
    "rectangle": ((2, 3, 6, 6), (3, 2), {}),
    "overlapping": ((2, 2, 7, 6), 3, {"stride": (2, 1)}),
    "gaps": ((2, 2, 8, 7), 2, {"stride": 3}),
    "padding": ((2, 2, 5, 6), 3, {"stride": 2, "padding": 1}),
    "padding_of_one_axis": ((2, 2, 5, 6), (2, 3), {"padding": (1, 0)}),
    "elements_left_over": ((2, 2, 7, 5), 2, {}),
    "window_of_one": ((2, 2, 3, 3), 1, {}),
    "whole": ((2, 2, 3, 4), (3, 4), {}),
    "batch_of_one": ((1, 1, 4, 4), 2, {}),
    "empty_batch": ((0, 2, 4, 4), 2, {}),
}
THEIRS = {"max_pool": "max_pool", "mean_pool": "avg_pool"}


def drawn(shape, seed=0):
    """Numbers of which no two are equal."""
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(size).reshape(shape) / max(size, 1) - 0.5


def torchs(name, axes, window, **options):
    pool = getattr(functional, f"{THEIRS[name]}{axes}d")
    return lambda x: pool(x, window, **options)


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("case", CASES)
def test_a_pool_agrees_with_torch_to_the_second_derivative(name, case, nn, derivatives):
    shape, window, options = CASES[case]
    pool, theirs = getattr(nn, name), torchs(name, len(shape) - 2, window, **options)
    derivatives.agree_with_torch(
        lambda x: pool(x * x * x, window, **options), lambda x: theirs(x * x * x), drawn(shape)
    )


@st.composite
def problems(draw):
    axes = draw(st.integers(1, 3))
    window = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    padding = tuple(draw(st.integers(0, k // 2)) for k in window)
    space = tuple(k + draw(st.integers(0, 4)) for k in window)
    return (draw(st.integers(0, 3)), draw(st.integers(1, 3)), *space), window, stride, padding


@pytest.mark.parametrize("name", THEIRS)
@settings(max_examples=40, deadline=None)
@given(problems())
def test_primitive_fallback_and_torch_are_one_function(name, problem):
    shape, window, stride, padding = problem
    x = drawn(shape)
    theirs = torchs(name, x.ndim - 2, window, stride=stride, padding=padding)
    wanted = theirs(torch.from_numpy(x)).numpy()
    for nn in (ops.nn, fallbacks.nn):
        found = getattr(nn, name)(x, window, stride=stride, padding=padding)
        np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-15)


TIED = np.array([[[[1.0, 1.0, 0.0, 2.0], [1.0, 0.0, 2.0, 2.0]]]])


def test_a_tie_shares_the_gradient_of_its_window_evenly(nn, engine):
    g = engine.grad(lambda x: ops.sum(nn.max_pool(x, 2) * np.array([3.0, 6.0])))(TIED)
    np.testing.assert_allclose(g, [[[[1, 1, 0, 2], [1, 0, 2, 2]]]], rtol=1e-15)


def test_a_tie_of_overlapping_windows_is_shared_in_each(nn, engine):
    x = np.array([[[5.0, 5.0, 5.0, 1.0]]])
    g = engine.grad(lambda x: ops.sum(nn.max_pool(x, 2, stride=1) * np.array([2.0, 4.0, 8.0])))(x)
    np.testing.assert_allclose(g, [[[1.0, 3.0, 10.0, 0.0]]], rtol=1e-15)


def test_zeros_that_tie_after_relu_have_no_gradient(nn, engine):
    x = np.array([[[-1.0, -2.0, 3.0, -1.0]]])
    g = engine.grad(lambda x: ops.sum(nn.max_pool(ops.nn.relu(x), 2)))(x)
    assert g.tolist() == [[[0.0, 0.0, 1.0, 0.0]]]


def test_a_tie_is_shared_at_the_second_order_too(nn, engine):
    """max_pool of a tie is the mean of those that tie, as far as derivatives go."""

    def penalty(pool):
        def of(x):
            g = engine.grad(lambda x: ops.sum(pool(x * x) ** 2))(x)
            return ops.sum(g * g)

        return engine.grad(of)(np.full((1, 1, 4), 1.5))

    tied, mean = penalty(lambda x: nn.max_pool(x, 2)), penalty(lambda x: nn.mean_pool(x, 2))
    np.testing.assert_allclose(tied, mean, rtol=1e-13)
    assert np.all(tied > 0)


def test_padding_is_never_the_maximum(nn, engine):
    x = np.full((1, 1, 3), -7.0)
    assert nn.max_pool(x, 2, padding=1).tolist() == [[[-7.0, -7.0]]]
    g = engine.grad(lambda x: ops.sum(nn.max_pool(x, 2, padding=1)))(x)
    assert g.tolist() == [[[1.0, 0.5, 0.5]]]


def test_a_window_of_more_than_255_equal_elements_shares_its_gradient(nn, engine):
    g = engine.grad(lambda x: ops.sum(nn.max_pool(x, 17)))(np.ones((1, 1, 17, 17)))
    np.testing.assert_allclose(g, np.full(g.shape, 1 / 289), rtol=1e-14)


def test_a_window_with_nan_is_nan_and_the_others_are_not(nn, engine):
    x = np.array([[[1.0, np.nan, 2.0, 3.0]]])
    np.testing.assert_array_equal(nn.max_pool(x, 2), [[[np.nan, 3.0]]])
    with np.errstate(invalid="ignore"):
        g = engine.grad(lambda x: ops.sum(nn.max_pool(x, 2)[:, :, 1:]))(x)
    np.testing.assert_array_equal(g[0, 0, 2:], [0.0, 1.0])


def test_minus_infinity_is_a_number_like_any_other(nn, engine):
    x = np.array([[[-np.inf, -np.inf, -np.inf, 1.0]]])
    assert nn.max_pool(x, 2).tolist() == [[[-np.inf, 1.0]]]
    g = engine.grad(lambda x: ops.sum(nn.max_pool(x, 2)))(x)
    assert g.tolist() == [[[0.5, 0.5, 0.0, 1.0]]]


def test_padding_counts_in_a_mean(nn):
    assert nn.mean_pool(np.full((1, 1, 3), 4.0), 2, padding=1).tolist() == [[[2.0, 4.0]]]


def test_each_axis_may_have_its_own_padding_before_and_after(nn):
    x = np.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    found = nn.max_pool(x, 2, stride=1, padding=((0, 1), (1, 0)))
    assert found.tolist() == [[[[4.0, 5.0, 6.0], [4.0, 5.0, 6.0]]]]
    found = nn.mean_pool(x, 2, stride=1, padding=((0, 1), (1, 0)))
    assert found.tolist() == [[[[1.25, 3.0, 4.0], [1.0, 2.25, 2.75]]]]


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_pool_keeps_the_dtype(name, dtype, nn, engine):
    x, pool = drawn((2, 3, 6)).astype(dtype), getattr(nn, name)
    assert pool(x, 3, padding=1).dtype == dtype
    assert engine.grad(lambda x: ops.sum(pool(x, 3, padding=1)))(x).dtype == dtype


def test_integers_have_a_largest_element_and_a_mean():
    x = np.array([[[-5, -3, 4]]])
    assert ops.nn.max_pool(x, 2, padding=1).tolist() == [[[-5, 4]]]
    assert ops.nn.mean_pool(x, 2).tolist() == [[[-4.0]]]


@pytest.mark.parametrize("name", THEIRS)
def test_the_order_of_memory_does_not_matter_and_x_is_not_written(name, nn, engine):
    x, pool = drawn((2, 3, 4, 6)), getattr(nn, name)
    before, turned = x.copy(), np.asfortranarray(x[::-1])[::-1]
    for window, stride in ((2, None), (3, 1), (1, 1)):
        f = lambda x, w=window, s=stride: pool(x, w, stride=s)  # noqa: E731 # short
        assert not np.shares_memory(f(x), x)
        np.testing.assert_allclose(f(turned), f(x), rtol=1e-14)
        g, h = (engine.grad(lambda x, f=f: ops.sum(f(x) ** 2))(each) for each in (x, turned))
        np.testing.assert_allclose(g, h, rtol=1e-14)
    np.testing.assert_array_equal(x, before)
