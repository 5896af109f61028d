"""Reductions and scans against NumPy and autograd, on both engines."""

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from optshare_arrays import ops

X = np.array([[[0.3, -1.2], [2.0, 0.7], [-0.4, 1.1]], [[0.9, 0.2], [-2.1, 1.5], [0.6, -0.8]]])
AXES = [None, 0, -1, (0, 2), (-1, 1), (), (0, 1, 2)]


def logsumexp(x, axis=None, keepdims=False):
    return anp.log(anp.sum(anp.exp(x), axis=axis, keepdims=keepdims))


def prod(x, axis=None, keepdims=False):
    # autograd's own second derivative divides; this reference is for arrays without zeros
    sign = np.prod(np.sign(getattr(x, "_value", x)), axis=axis, keepdims=keepdims)
    sign = getattr(sign, "_value", sign)
    return sign * anp.exp(anp.sum(anp.log(anp.abs(x)), axis=axis, keepdims=keepdims))


def var(x, axis=None, keepdims=False):
    centred = x - anp.mean(x, axis=axis, keepdims=True)
    return anp.mean(centred * centred, axis=axis, keepdims=keepdims)


def std(x, axis=None, keepdims=False):
    return anp.sqrt(var(x, axis=axis, keepdims=keepdims))


REDUCTIONS = {
    "sum": anp.sum,
    "mean": anp.mean,
    "max": anp.max,
    "min": anp.min,
    "prod": prod,
    "var": var,
    "std": std,
    "logsumexp": logsumexp,
}
SMOOTH = ["sum", "mean", "var", "std", "logsumexp"]


def axes_for(name):
    """std over no axes has an infinite derivative; max over no axes is the identity."""
    return [axis for axis in AXES if axis != () or name not in ("std", "max", "min")]


CASES = [(name, axis) for name in REDUCTIONS for axis in axes_for(name)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("name", "axis"), CASES)
def test_a_reduction_agrees_with_autograd(name, axis, keepdims, derivatives):
    def ours(x):
        return getattr(ops, name)(x, axis=axis, keepdims=keepdims)

    def reference(x):
        if name in ("max", "min") and isinstance(axis, tuple):  # autograd takes one axis
            return joined(REDUCTIONS[name], x, axis, keepdims)
        return REDUCTIONS[name](x, axis=axis, keepdims=keepdims)

    second = 2 if name in SMOOTH else 1
    derivatives.agree(ours, reference, X, order=second, rtol=1e-12)


def joined(function, x, axes, keepdims):
    """A reduction over several axes, one after the other."""
    for axis in sorted(each % x.ndim for each in axes)[::-1]:
        x = function(x, axis=axis, keepdims=keepdims)
    return x


def test_prod_has_second_derivatives(derivatives):
    derivatives.agree(lambda x: ops.prod(x, axis=1), lambda x: x[:, 0] * x[:, 1] * x[:, 2], X)


@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_prod_has_exact_derivatives_at_zeros(zeros, derivatives):
    x = np.array([2.0, 3.0, 5.0, 7.0])
    x[:zeros] = 0.0
    derivatives.agree(ops.prod, lambda a: a[0] * a[1] * a[2] * a[3], x)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_of_tracked_values_has_numpys_value(name):
    import optshare_functional

    for axis in axes_for(name):
        value, _ = optshare_functional.vjp(lambda x, axis=axis: getattr(ops, name)(x, axis=axis), X)
        np.testing.assert_array_equal(value, getattr(ops, name)(X, axis=axis))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_reduction_keeps_the_dtype_of_value_and_gradient(name, dtype, engine):
    x = X.astype(dtype)
    assert getattr(ops, name)(x, axis=1).dtype == dtype
    gradient = engine.grad(lambda a: (getattr(ops, name)(a, axis=1) * np.float64(2)).sum())(x)
    assert gradient.dtype == dtype
    assert gradient.shape == x.shape


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_refuses_an_axis_that_is_not_there(name):
    import optshare_functional

    for x in (X, X[0, 0, 0]):
        f = getattr(ops, name)
        with pytest.raises(np.exceptions.AxisError):
            f(x, axis=3)
        with pytest.raises(np.exceptions.AxisError):
            optshare_functional.vjp(lambda a, f=f: f(a, axis=-4), x)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_refuses_an_axis_that_is_given_twice(name, engine):
    f = getattr(ops, name)
    for axis in (0, 0), (1, -2):
        with pytest.raises(ValueError, match=r"duplicate value in 'axis'|repeated axis"):
            f(X, axis=axis)
        with pytest.raises(ValueError, match=r"duplicate value in 'axis'|repeated axis"):
            engine.grad(lambda x, axis=axis: ops.sum(f(x, axis=axis)))(X)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "logsumexp"])
def test_a_reduction_of_a_0d_array_is_the_identity(name, engine):
    np.testing.assert_allclose(getattr(ops, name)(np.float64(3)), 3.0, rtol=1e-15)
    gradient = engine.grad(getattr(ops, name))(3.0)
    np.testing.assert_allclose(gradient, 1.0, rtol=1e-15)


@pytest.mark.parametrize(("name", "value"), [("sum", 0.0), ("prod", 1.0), ("logsumexp", -np.inf)])
def test_an_empty_array_has_an_empty_gradient(name, value, engine):
    assert getattr(ops, name)(np.zeros(0)) == value
    gradient = engine.grad(lambda x: getattr(ops, name)(x, axis=0).sum() + x.sum())(
        np.zeros((0, 2))
    )
    assert gradient.shape == (0, 2)


def test_an_axis_without_entries_leaves_the_others(engine):
    x = np.zeros((2, 0))
    np.testing.assert_array_equal(ops.sum(x, axis=1), [0.0, 0.0])
    np.testing.assert_array_equal(ops.prod(x, axis=1), [1.0, 1.0])
    gradient = engine.grad(lambda a: (ops.sum(a, axis=1) + ops.prod(a, axis=1)).sum())(x)
    assert gradient.shape == (2, 0)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (None, np.full((2, 3), 1 / 6)),
        (0, np.full((2, 3), 1 / 2)),
        (-1, np.full((2, 3), 1 / 3)),
        ((0, 1), np.full((2, 3), 1 / 6)),
    ],
)
def test_ties_share_the_gradient_evenly(name, axis, expected, engine):
    gradient = engine.grad(lambda x: getattr(ops, name)(x, axis=axis).sum())(np.ones((2, 3)))
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)


def test_only_the_ties_share_the_gradient(engine):
    x = np.array([3.0, 1.0, 3.0, 2.0])
    np.testing.assert_array_equal(engine.grad(ops.max)(x), [0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(engine.grad(ops.min)(x), [0, 1, 0, 0])


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("correction", [0, 1, 0.5])
def test_a_correction_divides_by_fewer(name, correction, derivatives):
    n = X.shape[1]

    def reference(x):
        spread = var(x, axis=1) * (n / (n - correction))
        return spread if name == "var" else anp.sqrt(spread)

    derivatives.agree(lambda x: getattr(ops, name)(x, axis=1, correction=correction), reference, X)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_cumulative_sum_agrees_with_autograd(axis, derivatives):
    derivatives.agree(
        lambda x: ops.cumulative_sum(x, axis=axis) ** 2,
        lambda x: anp.cumsum(x, axis=axis) ** 2,
        X,
    )


@pytest.mark.parametrize("axis", [0, -1])
def test_cumulative_sum_may_begin_with_zero(axis, engine):
    expected = np.cumulative_sum(X, axis=axis, include_initial=True)
    np.testing.assert_array_equal(ops.cumulative_sum(X, axis=axis, include_initial=True), expected)
    with_zero, without = (
        engine.grad(lambda x, i=i: (ops.cumulative_sum(x, axis=axis, include_initial=i) ** 2).sum())
        for i in (True, False)
    )
    np.testing.assert_array_equal(with_zero(X), without(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_empty_cumulative_sum_may_begin_with_zero(dtype, engine):
    def scanned(x):
        return ops.cumulative_sum(x, include_initial=True)

    expected = np.cumulative_sum(np.zeros(0, dtype), include_initial=True)
    np.testing.assert_array_equal(scanned(np.zeros(0, dtype)), expected)
    gradient = engine.grad(lambda x: scanned(x).sum())(np.zeros(0, dtype))
    assert (gradient.shape, gradient.dtype) == ((0,), dtype)


def test_cumulative_sum_of_several_axes_needs_one(engine):
    np.testing.assert_array_equal(ops.cumulative_sum(np.array([1.0, 2.0])), [1.0, 3.0])
    with pytest.raises(ValueError, match="axis"):
        ops.cumulative_sum(X)
    with pytest.raises(ValueError, match="axis"):
        engine.grad(lambda x: ops.cumulative_sum(x).sum())(X)


def test_logsumexp_neither_overflows_nor_underflows(engine):
    for shift in (1000.0, -1000.0):
        x = np.array([0.0, 1.0, 2.0])
        np.testing.assert_allclose(ops.logsumexp(x + shift), ops.logsumexp(x) + shift, rtol=1e-14)
        gradient = engine.grad(ops.logsumexp)(x + shift)
        np.testing.assert_allclose(gradient, np.exp(x) / np.exp(x).sum(), rtol=1e-12)


def test_logsumexp_passes_over_minus_infinity(engine):
    x = np.array([[-np.inf, 0.0, 0.0], [-np.inf, -np.inf, -np.inf]])
    np.testing.assert_array_equal(ops.logsumexp(x, axis=1), [np.log(2), -np.inf])
    gradient = engine.grad(
        lambda a: ops.where(np.array([True, False]), ops.logsumexp(a, 1), 0).sum()
    )
    np.testing.assert_array_equal(gradient(x), [[0, 0.5, 0.5], [0, 0, 0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("argmax", np.argmax(X, axis=1)),
        ("argmin", np.argmin(X, axis=1)),
        ("all", np.all(X, axis=1)),
        ("any", np.any(X, axis=1)),
    ],
)
def test_positions_and_truths_are_constants(name, expected, engine):
    np.testing.assert_array_equal(getattr(ops, name)(X, axis=1), expected)
    gradient = engine.grad(lambda x: (x[:, 0] * getattr(ops, name)(x, axis=1)).sum())(X)
    np.testing.assert_array_equal(gradient[:, 0], expected)
    np.testing.assert_array_equal(gradient[:, 1:], 0.0)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_])
def test_a_reduction_of_plain_integers_is_numpys(name, dtype):
    x = np.array([[16, 16, 3], [16, 1, 2]]).astype(dtype)
    found, expected = getattr(ops, name)(x), getattr(np, name)(x)
    assert found == expected
    assert np.asarray(found).dtype == expected.dtype


@settings(deadline=None, max_examples=60)
@given(
    st.data(),
    st.sampled_from(sorted(REDUCTIONS)),
    npst.array_shapes(min_dims=1, max_dims=3, max_side=3),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_both_engines_agree_on_any_shape_axis_and_dtype(data, name, shape, dtype, keepdims):
    import optshare_functional
    import optshare_tape

    axis = data.draw(npst.valid_tuple_axes(len(shape), min_size=1))
    elements = st.floats(0.5, 2.0, width=32)
    x = data.draw(npst.arrays(dtype, shape, elements=elements, unique=name == "std"))
    if name == "std":
        x = x + np.arange(x.size, dtype=dtype).reshape(shape)  # never constant along an axis
        axis = tuple(range(len(shape)))
    if name == "std" and x.size == 1:
        return  # the standard deviation of one number has no derivative

    def f(a):
        return (getattr(ops, name)(a, axis=axis, keepdims=keepdims) ** 2).sum()

    one, other = optshare_tape.grad(f)(x), optshare_functional.grad(f)(x)
    assert one.dtype == other.dtype == dtype
    np.testing.assert_array_equal(one, other)
    value = getattr(ops, name)(x, axis=axis, keepdims=keepdims)
    expected = REDUCTIONS[name](x, axis=axis, keepdims=keepdims)
    assert (value.shape, value.dtype) == (expected.shape, dtype)
    # a few roundings for each element, of numbers up to the largest, squared in var and std
    rounding = 8 * max(1, x.size) * np.finfo(dtype).eps
    largest = max(1.0, float(abs(x).max(initial=0))) ** 2
    np.testing.assert_allclose(value, expected, rtol=rounding, atol=rounding * largest)
