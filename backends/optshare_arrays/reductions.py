"""Reductions and scans."""

from __future__ import annotations

import math
from typing import Any

from optshare_arrays import elementwise as ew
from optshare_arrays.axes import Axes, normal_axes
from optshare_arrays.broadcasting import broadcast
from optshare_arrays.indexing import flip
from optshare_arrays.parts import squared_modulus
from optshare_arrays.primitives import Primitive, constant, plain, stands_for
from optshare_arrays.shaping import concat, expand_dims, moveaxis, reshape, squeeze
from optshare_arrays.untyped import np


def _spread(g: Any, shape: tuple[int, ...], axis: Axes, keepdims: bool) -> Any:
    """What was reduced over axes, repeated along them again."""
    if not keepdims and axis is not None:
        gone = normal_axes(axis, len(shape))
        g = reshape(g, tuple(1 if i in gone else n for i, n in enumerate(shape)))
    return broadcast(g, shape)


def _count(shape: tuple[int, ...], axis: Axes) -> int:
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[each] for each in normal_axes(axis, len(shape)))


def _extreme(g: Any, y: Any, x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The gradient of max and min: shared evenly among the ties."""
    x, y = plain(x), plain(y)
    ew.require_ordered(x.dtype)
    ties = (x == _spread(y, x.shape, axis, keepdims)).astype(x.dtype)
    shares = ties / ties.sum(axis=normal_axes(axis, x.ndim), keepdims=True)
    return _spread(g, x.shape, axis, keepdims) * shares


def _mean_of(x: Any, shape: tuple[int, ...], axis: Axes, keepdims: bool) -> Any:
    if x.dtype.char not in "fdFD" or 0 in shape:  # NumPy's mean sums float16 and integers as floats
        return x.mean(axis=axis, keepdims=keepdims)
    return x.sum(axis=axis, keepdims=keepdims) / _count(shape, axis)


_sum = Primitive(
    lambda x, shape, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    [lambda g, y, x, shape, axis, keepdims: _spread(g, shape, axis, keepdims)],
    name="sum",
)
_mean = Primitive(
    _mean_of,
    [
        lambda g, y, x, shape, axis, keepdims: _spread(
            g / _count(shape, axis), shape, axis, keepdims
        )
    ],
    name="mean",
)
_max = Primitive(
    lambda x, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims), [_extreme], "max"
)
_min = Primitive(
    lambda x, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims), [_extreme], "min"
)
_cumsum = Primitive(
    lambda x, axis: np.cumsum(x, axis=axis),
    [lambda g, y, x, axis: flip(_cumsum(flip(g, axis), axis), axis)],
    name="cumulative_sum",
)


def _greatest(x: Any, axis: tuple[int, ...]) -> Any:
    """The maximum over axes, which are kept; -inf where there is nothing."""
    shape = tuple(1 if place in axis else n for place, n in enumerate(x.shape))
    if 0 in x.shape and 0 not in shape:
        return np.full_like(x, -np.inf, shape=shape)
    return np.max(x, axis=axis, keepdims=True)


def _logsumexp_of(x: Any, axis: tuple[int, ...]) -> Any:
    top = _greatest(x.real, axis)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top


_logsumexp = Primitive(
    _logsumexp_of,
    [lambda g, y, x, axis: g * ew.exp(x - ew.where(plain(y) == -np.inf, 0.0, y))],
    name="logsumexp",
)


@stands_for(np.sum)
def sum(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The sum over axes."""
    return _sum(x, x.shape, axis, keepdims)


@stands_for(np.mean)
def mean(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The mean over axes."""
    return _mean(x, x.shape, axis, keepdims)


@stands_for(np.max, np.amax)
def max(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The maximum over axes; ties share the gradient."""
    return _max(x, axis, keepdims)


@stands_for(np.min, np.amin)
def min(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The minimum over axes; ties share the gradient."""
    return _min(x, axis, keepdims)


def var(x: Any, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Any:
    """The mean square distance from the mean, over n - correction; real."""
    centred = x - mean(x, axis, keepdims=True)
    total = sum(squared_modulus(centred), axis, keepdims=keepdims)
    return total / (_count(x.shape, axis) - correction)


def std(x: Any, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Any:
    """The square root of the variance; where that is 0, the derivative is 0 as a norm's."""
    variance = var(x, axis, correction=correction, keepdims=keepdims)
    none = plain(variance) == 0
    return ew.where(none, 0.0, ew.sqrt(ew.where(none, 1.0, variance)))


@stands_for(np.var)
def _numpy_var(x: Any, axis: Axes = None, *, ddof: float = 0.0, **options: Any) -> Any:
    options.setdefault("correction", ddof)
    return var(x, axis, **options)


@stands_for(np.std)
def _numpy_std(x: Any, axis: Axes = None, *, ddof: float = 0.0, **options: Any) -> Any:
    options.setdefault("correction", ddof)
    return std(x, axis, **options)


@stands_for(np.prod)
def prod(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The product over axes, by halves: right at zeros, to any order."""
    if x.dtype.kind not in "fc":
        return np.prod(x, axis=axis, keepdims=keepdims)
    axes = normal_axes(axis, x.ndim)
    for each in axes:
        x = expand_dims(_product(moveaxis(x, each, 0)), each)
    return x if keepdims else squeeze(x, axes)


def _product(x: Any) -> Any:
    """The product along the first axis."""
    if len(x) == 0:
        return np.ones_like(plain(x).sum(axis=0))
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = concat([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    return x[0]


@stands_for(np.cumulative_sum)
def cumulative_sum(x: Any, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """The sums of the first entries along an axis; with a zero before them, if asked."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative_sum of {x.ndim} axes needs axis=")
    (place,) = normal_axes(axis or 0, x.ndim)
    summed = _cumsum(x, place)
    if not include_initial:
        return summed
    shape = (*x.shape[:place], 1, *x.shape[place + 1 :])
    return concat([np.zeros_like(plain(summed), shape=shape), summed], axis=place)


@stands_for(np.cumsum)
def cumsum(x: Any, axis: int | None = None) -> Any:
    """NumPy's cumulative sum: flattened where no axis is given."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return _cumsum(x, *normal_axes(axis, x.ndim))


def logsumexp(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes, without overflow."""
    axes = normal_axes(axis, x.ndim)
    total = _logsumexp(x, axes)
    return total if keepdims else squeeze(total, axes)


argmax = constant(np.argmax)
argmin = constant(np.argmin)
all = constant(np.all)
any = constant(np.any)
