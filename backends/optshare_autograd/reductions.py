"""Reductions and scans that are composed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from optshare_autograd import derivatives
from optshare_autograd.library import anp, is_box, np, plain

Axes = int | Sequence[int] | None


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front; all of them for `None`.

    >>> normal_axes(-1, 3), normal_axes(None, 2)
    ((2,), (0, 1))
    """
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def var(x: Any, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Any:
    """The mean square distance from the mean, over n - correction; real."""
    axes = normal_axes(axis, x.ndim)
    centred = x - anp.mean(x, axis=axes, keepdims=True)
    squared = anp.real(centred * anp.conj(centred)) if anp.iscomplexobj(x) else centred * centred
    total = anp.sum(squared, axis=axes, keepdims=keepdims)
    return total / (math.prod(x.shape[each] for each in axes) - correction)


def std(x: Any, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Any:
    """The square root of the variance; where that is 0, the derivative is 0 as a norm's."""
    variance = var(x, axis, correction=correction, keepdims=keepdims)
    none = plain(variance) == 0
    positive = derivatives.choose(none, 1.0, variance)
    return derivatives.choose(none, 0.0, derivatives.sqrt(positive))


def prod(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The product over axes, by halves: right at zeros, to any order."""
    axes = normal_axes(axis, x.ndim)
    if not is_box(x):
        return np.prod(x, axis=axes, keepdims=keepdims)
    for each in axes:
        x = anp.expand_dims(_product(anp.moveaxis(x, each, 0)), each)
    return x if keepdims else anp.squeeze(x, axes)


def _product(x: Any) -> Any:
    """The product along the first axis."""
    if len(x) == 0:
        return np.ones(x.shape[1:], x.dtype)
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = anp.concatenate([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    return x[0]


def logsumexp(x: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes, without overflow."""
    axes = normal_axes(axis, x.ndim)
    total = derivatives.logsumexp(x, axes)
    return total if keepdims else anp.squeeze(total, axes)


def cumulative_sum(x: Any, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """The sums of the first entries along an axis; with a zero before them, if asked."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative_sum of {x.ndim} axes needs axis=")
    (place,) = normal_axes(axis or 0, x.ndim)
    summed = derivatives.cumulate(x, place)
    if not include_initial:
        return summed
    shape = (*x.shape[:place], 1, *x.shape[place + 1 :])
    return anp.concatenate([np.zeros(shape, summed.dtype), summed], axis=place)


def vecdot(x: Any, y: Any, *, axis: int = -1) -> Any:
    """The inner product along an axis, of the conjugate of x with y."""
    return anp.sum((anp.conj(x) if anp.iscomplexobj(x) else x) * y, axis=axis)
