"""Convolutions and pools composed of slices and products, for backends that have none.

Each takes the namespace first. They are exact, to any order of derivatives.
"""

from __future__ import annotations

import math
from typing import Any

from optshare.namespace.protocol import Namespace
from optshare.namespace.windows import Windows, conv_transpose_windows, conv_windows, pool_windows


def conv(
    ops: Namespace,
    x: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The cross-correlation of x (batch, in, *space) and weight (out, in / groups, *window)."""
    windows = conv_windows(_sizes(x), _sizes(weight), stride, padding, dilation, groups)
    return _correlated(ops, x, weight, windows, groups)


def conv_transpose(
    ops: Namespace,
    x: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The transpose of `conv` of the same weight, (in, out / groups, *window)."""
    windows = conv_transpose_windows(
        _sizes(x), _sizes(weight), stride, padding, output_padding, dilation, groups
    )
    for axis, step in enumerate(windows.stride, start=2):
        x = _parted(ops, x, axis, step)
    for axis, (before, after) in enumerate(windows.around, start=2):
        x = _extended(ops, x, axis, before, after, 0.0)
    reach = windows._replace(
        space=tuple(x.shape[2:]),
        stride=(1,) * len(windows.space),
        padding=((0, 0),) * len(windows.space),
        counts=windows.space,
    )
    return _correlated(ops, x, _turned(ops, weight, groups), reach, groups)


def max_pool(ops: Namespace, x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """The maximum of each window; elements that tie for it share its gradient evenly."""
    windows = pool_windows("max_pool", _sizes(x), window, stride, padding)
    return ops.max(_met(ops, x, windows, -math.inf), axis=2)


def mean_pool(ops: Namespace, x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window; padding counts as zeros."""
    windows = pool_windows("mean_pool", _sizes(x), window, stride, padding)
    return ops.mean(_met(ops, x, windows), axis=2)


def _sizes(x: Any) -> tuple[int, ...]:
    return tuple(x.shape)


def _correlated(ops: Namespace, x: Any, weight: Any, windows: Windows, groups: int) -> Any:
    batch, out, inner = x.shape[0], weight.shape[0], math.prod(_sizes(weight)[1:])
    met = _met(ops, x, windows)
    columns = ops.reshape(met, (batch, groups, inner, math.prod(windows.counts)))
    rows = ops.reshape(weight, (groups, out // groups, inner))
    return ops.reshape(ops.matmul(rows, columns), (batch, out, *windows.counts))


def _met(ops: Namespace, x: Any, windows: Windows, padding: float = 0.0) -> Any:
    """What the windows meet: (batch, channels, elements of the window, *counts)."""
    for axis, (before, after) in enumerate(windows.padding, start=2):
        x = _extended(ops, x, axis, before, after, padding)
    every = slice(None)
    return ops.stack([x[(every, every, *each)] for each in windows.slices()], axis=2)


def _extended(ops: Namespace, x: Any, axis: int, before: int, after: int, value: float) -> Any:
    """x with a number before and after it along an axis; cut off where that is negative."""
    if before == after == 0:
        return x
    kept = x[(slice(None),) * axis + (slice(max(0, -before), x.shape[axis] - max(0, -after)),)]
    ends = (_filled(ops, x, axis, count, value) for count in (before, after))
    return ops.concat([next(ends), kept, next(ends)], axis=axis)


def _filled(ops: Namespace, x: Any, axis: int, count: int, value: float) -> Any:
    """Some elements of one number along an axis, beside x; none for a negative count."""
    shape = (*x.shape[:axis], max(0, count), *x.shape[axis + 1 :])
    one = ops.stop_gradient(x[(slice(None),) * axis + (slice(0, 1),)])
    return ops.broadcast_to(ops.full_like(one, value), shape)


def _parted(ops: Namespace, x: Any, axis: int, step: int) -> Any:
    """x with step - 1 zeros between its elements along an axis."""
    if step == 1:
        return x
    shape, none = _sizes(x), ops.zeros_like(ops.stop_gradient(x))
    filled = ops.stack([x, *[none] * (step - 1)], axis=axis + 1)
    joined = ops.reshape(filled, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))
    return joined[(slice(None),) * axis + (slice(0, (shape[axis] - 1) * step + 1),)]


def _turned(ops: Namespace, weight: Any, groups: int) -> Any:
    """(in, out / groups, *window) as (out, in / groups, *window), reversed along the window."""
    inner, outer, *window = _sizes(weight)
    split = ops.reshape(weight, (groups, inner // groups, outer, *window))
    swapped = ops.permute_dims(split, (0, 2, 1, *range(3, 3 + len(window))))
    joined = ops.reshape(swapped, (groups * outer, inner // groups, *window))
    return ops.flip(joined, axis=tuple(range(2, 2 + len(window))))
