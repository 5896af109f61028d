"""`conv` and `conv_transpose`: primitives and fallbacks, against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

import optshare_functional
from optshare.extend import complete
from optshare_arrays import columns, convolution, namespace, ops

fallbacks = complete(namespace)

CONV = {  # shapes of x and weight, options
    "line": ((2, 3, 9), (4, 3, 3), {}),
    "plane": ((2, 3, 6, 5), (4, 3, 3, 2), {}),
    "volume": ((2, 2, 4, 5, 4), (3, 2, 2, 3, 2), {}),
    "stride": ((2, 2, 8, 7), (3, 2, 3, 2), {"stride": (3, 2)}),
    "padding": ((2, 2, 4, 3), (3, 2, 3, 3), {"padding": (2, 1)}),
    "dilation": ((2, 2, 8, 7), (3, 2, 3, 2), {"dilation": (2, 3)}),
    "everything": (
        (2, 4, 9, 8),
        (6, 2, 3, 2),
        {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
    ),
    "groups": ((2, 6, 5), (9, 2, 2), {"groups": 3}),
    "depthwise": ((2, 4, 5, 5), (4, 1, 3, 3), {"groups": 4, "padding": 1}),
    "two_for_each": ((2, 3, 5, 5), (6, 1, 3, 3), {"groups": 3}),
    "one_by_one": ((2, 3, 4, 4), (5, 3, 1, 1), {}),
    "as_large_as_x": ((2, 3, 4, 4), (5, 3, 4, 4), {}),
    "elements_left_over": ((1, 2, 8, 9), (3, 2, 2, 2), {"stride": 3}),
    "batch_of_one": ((1, 2, 5, 5), (3, 2, 3, 3), {"padding": 1}),
    "axes_of_one": ((1, 1, 1, 1), (1, 1, 1, 1), {"padding": 1, "stride": 2}),
    "empty_batch": ((0, 2, 5, 5), (3, 2, 3, 3), {}),
}
CONV_TRANSPOSE = {
    "line": ((2, 3, 5), (3, 4, 3), {}),
    "plane": ((2, 3, 4, 3), (3, 4, 3, 2), {}),
    "volume": ((2, 2, 2, 3, 2), (2, 3, 2, 3, 2), {"stride": 2}),
    "stride": ((2, 2, 4, 3), (2, 3, 3, 2), {"stride": (3, 2)}),
    "padding": ((2, 2, 4, 4), (2, 3, 3, 3), {"padding": (2, 1)}),
    "padding_beyond_the_window": ((2, 2, 5, 5), (2, 3, 1, 1), {"padding": 2}),
    "output_padding": ((2, 2, 3, 3), (2, 3, 2, 2), {"stride": 3, "output_padding": (2, 1)}),
    "output_padding_in_holes": ((2, 2, 3, 3), (2, 3, 2, 2), {"dilation": 3, "output_padding": 2}),
    "everything": (
        (2, 4, 4, 3),
        (4, 3, 3, 2),
        {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2, "groups": 2},
    ),
    "depthwise": ((2, 4, 3, 3), (4, 1, 3, 3), {"groups": 4, "stride": 2}),
    "batch_of_one": ((1, 2, 3, 3), (2, 3, 2, 2), {}),
    "empty_batch": ((0, 2, 3, 3), (2, 3, 2, 2), {}),
}


def drawn(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def torchs(name, axes, **options):
    return lambda *given: getattr(functional, f"{name}{axes}d")(*given, **options)


@pytest.mark.parametrize("case", CONV)
def test_a_convolution_agrees_with_torch_to_the_second_derivative(case, nn, derivatives):
    x, weight, options = CONV[case]
    derivatives.agree_with_torch(
        lambda x, w: nn.conv(x, w, **options),
        torchs("conv", len(x) - 2, **options),
        *drawn(x, weight),
    )


@pytest.mark.parametrize("case", CONV_TRANSPOSE)
def test_a_transposed_convolution_agrees_with_torch(case, nn, derivatives):
    x, weight, options = CONV_TRANSPOSE[case]
    derivatives.agree_with_torch(
        lambda x, w: nn.conv_transpose(x, w, **options),
        torchs("conv_transpose", len(x) - 2, **options),
        *drawn(x, weight),
    )


def test_each_axis_may_have_its_own_padding_before_and_after(nn, derivatives):
    x, weight = drawn((2, 2, 4, 3), (3, 2, 3, 2))
    derivatives.agree_with_torch(
        lambda x, w: nn.conv(x, w, padding=((0, 2), (1, 0))),
        lambda x, w: functional.conv2d(functional.pad(x, (1, 0, 0, 2)), w),
        x,
        weight,
    )
    derivatives.agree_with_torch(
        lambda x, w: nn.conv_transpose(x, w.swapaxes(0, 1), stride=2, padding=((0, 2), (1, 0))),
        lambda x, w: functional.conv_transpose2d(x, w.swapaxes(0, 1), stride=2)[:, :, :-2, 1:],
        x[:, [0, 1, 1]],
        weight.swapaxes(0, 1),
    )


@pytest.mark.parametrize("order", [3, 4])
def test_a_convolution_that_is_cubed_has_its_derivatives_of_any_order(order, nn, engine):
    x, weight = drawn((1, 1, 4), (1, 1, 2))

    def along(t):
        y = nn.conv(x + t * x[:, :, ::-1], weight + t * weight[:, :, ::-1])
        return ops.sum(y * y)  # a polynomial of degree 4 in t

    f = along
    for _ in range(order):
        f = engine.grad(f)
    points = np.linspace(-2, 2, 5)
    polynomial = np.polynomial.Polynomial.fit(points, [along(t) for t in points], 4)
    np.testing.assert_allclose(f(0.5), polynomial.deriv(order)(0.5), rtol=1e-10)


@st.composite
def problems(draw):
    """A convolution that fits: shapes and options."""
    axes, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    sizes = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731 # short
    window, stride, dilation, padding = sizes(1, 3), sizes(1, 3), sizes(1, 2), sizes(0, 2)
    fitted = zip(window, dilation, padding, strict=True)
    least = (max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in fitted)
    space = tuple(n + more for n, more in zip(least, sizes(0, 3), strict=True))
    inner, outer = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x = (draw(st.integers(0, 3)), groups * inner, *space)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return x, (groups * outer, inner, *window), options


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 100))
def test_primitive_fallback_and_torch_are_one_function(problem, seed):
    x_shape, w_shape, options = problem
    x, w = drawn(x_shape, w_shape, seed=seed)
    wanted = torchs("conv", x.ndim - 2, **options)(torch.from_numpy(x), torch.from_numpy(w)).numpy()
    for nn in (ops.nn, fallbacks.nn):
        np.testing.assert_allclose(nn.conv(x, w, **options), wanted, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 100))
def test_the_transposed_convolution_is_the_gradient_of_the_convolution(problem, seed):
    x_shape, w_shape, options = problem
    x, w = drawn(x_shape, w_shape, seed=seed)
    y = ops.nn.conv(x, w, **options)
    g = np.random.default_rng(seed + 1).normal(size=y.shape)
    found = optshare_functional.grad(lambda x: ops.sum(ops.nn.conv(x, w, **options) * g))(x)
    axes = zip(x_shape[2:], w_shape[2:], *list(options.values())[:3], strict=True)
    rest = tuple((n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in axes)
    for nn in (ops.nn, fallbacks.nn):
        back = nn.conv_transpose(g, w, output_padding=rest, **options)
        np.testing.assert_allclose(back, found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("long", [0, 10**9])
@pytest.mark.parametrize("case", CONV)
def test_rows_alone_and_all_rows_at_once_give_the_same_numbers(
    case, long, derivatives, monkeypatch
):
    monkeypatch.setattr(columns, "LONG", long)
    x, weight, options = CONV[case]
    derivatives.agree_with_torch(
        lambda x, w: ops.nn.conv(x, w, **options),
        torchs("conv", len(x) - 2, **options),
        *drawn(x, weight),
    )


def strided(x):
    """The same numbers in memory of another order, with gaps."""
    room = np.full((*(2 * n for n in x.shape[::-1]),), np.nan)
    view = room[tuple(slice(None, None, 2) for _ in x.shape)].T
    view[...] = x
    return view


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_the_order_of_memory_does_not_matter(name, nn, engine):
    x, w = drawn((2, 3, 4, 5), (3, 3, 2, 2))
    f = getattr(nn, name)
    wanted = f(x, w), *engine.gradient(lambda x, w: ops.sum(f(x, w) ** 2), x, w)
    for others in ((strided(x), strided(w)), (x[::-1][::-1], w), (np.asfortranarray(x), w)):
        found = f(*others), *engine.gradient(lambda x, w: ops.sum(f(x, w) ** 2), *others)
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_arguments_are_not_written_and_answers_are_their_own(name, nn, engine):
    x, w = drawn((2, 3, 4, 5), (3, 3, 2, 2))
    before = x.copy(), w.copy()
    f = getattr(nn, name)
    y = f(x, w)
    engine.gradient(lambda x, w: ops.sum(f(x, w) ** 2), x, w)
    assert not np.shares_memory(y, x)
    assert not np.shares_memory(y, w)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_convolution_keeps_the_dtype(name, dtype, nn, engine):
    x, w = (each.astype(dtype) for each in drawn((2, 3, 6, 5), (3, 3, 3, 3)))
    f = getattr(nn, name)
    y = f(x, w)
    assert y.dtype == dtype
    exact = f(x.astype(np.float64), w.astype(np.float64))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y, exact, rtol=8 * eps, atol=30 * eps)  # sums of 27 products
    for each in engine.gradient(lambda x, w: ops.sum(f(x, w)), x, w):
        assert each.dtype == dtype


def test_mixed_dtypes_promote_and_each_gradient_has_its_own(nn, engine):
    x, w = drawn((2, 3, 4), (2, 3, 2))
    w = w.astype(np.float32)
    assert nn.conv(x, w).dtype == np.float64
    g, h = engine.gradient(lambda x, w: ops.sum(nn.conv(x, w)), x, w)
    assert (g.dtype, h.dtype) == (np.float64, np.float32)


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_complex_gradients_are_torchs(name, nn, engine):
    parts = drawn((2, 2, 5), (2, 2, 5), (2, 2, 3), (2, 2, 3))
    x, w = parts[0] + 1j * parts[1], parts[2] + 1j * parts[3]
    f = getattr(nn, name)
    found = engine.gradient(lambda x, w: ops.sum(ops.abs(f(x, w)) ** 2), x, w)
    theirs = [torch.from_numpy(each).requires_grad_() for each in (x, w)]
    (torchs(name, 1)(*theirs).abs() ** 2).sum().backward()
    for got, want in zip(found, theirs, strict=True):
        np.testing.assert_allclose(got, want.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_integers_are_convolved_exactly(nn):
    x, w = np.arange(10).reshape(1, 1, 10), np.array([[[1, 2]]])
    assert nn.conv(x, w).tolist() == [[[3 * i + 2 for i in range(9)]]]


def test_the_gradient_of_data_is_not_computed(engine, monkeypatch):
    x, w = drawn((2, 3, 5), (4, 3, 2))
    monkeypatch.setattr(convolution.spread, "forward", None)
    (g,) = engine.gradient(lambda w: ops.sum(ops.nn.conv(x, w)), w)
    assert g.shape == w.shape
