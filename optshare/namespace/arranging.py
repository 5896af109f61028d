"""Fallbacks that arrange the elements of arrays anew: repeated, padded, taken apart, scanned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_sequence


def moveaxis(ops: Namespace, x: Any, source: Any, destination: Any) -> Any:
    """The array with axes at other places."""
    starts, ends = ([each % x.ndim for each in _listed(axes)] for axes in (source, destination))
    order = [axis for axis in range(x.ndim) if axis not in starts]
    for end, start in sorted(zip(ends, starts, strict=True)):
        order.insert(end, start)
    return ops.permute_dims(x, tuple(order))


def unstack(ops: Namespace, x: Any, *, axis: int = 0) -> tuple[Any, ...]:
    """The arrays that lie along an axis."""
    before = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*before, place)] for place in range(x.shape[axis]))


def repeat(ops: Namespace, x: Any, repeats: Any, *, axis: int | None = None) -> Any:
    """Each element along an axis so many times; flattened first where there is no axis."""
    if axis is None:
        return repeat(ops, ops.reshape(x, (-1,)), repeats, axis=0)
    place = axis % x.ndim
    if np.ndim(repeats):
        counts = np.broadcast_to(repeats, (x.shape[place],)).tolist()
        places = [i for i, times in enumerate(counts) for _ in range(times)]
        return ops.take(x, ops.asarray(np.array(places, np.int64)), axis=place)
    before, after = tuple(x.shape[:place]), tuple(x.shape[place + 1 :])
    size, times = x.shape[place], int(repeats)
    wide = ops.broadcast_to(ops.expand_dims(x, axis=place + 1), (*before, size, times, *after))
    return ops.reshape(wide, (*before, size * times, *after))


def tile(ops: Namespace, x: Any, repetitions: Any) -> Any:
    """The whole array so many times along each axis."""
    times = _listed(repetitions)
    rank = max(len(times), x.ndim)
    times = [1] * (rank - len(times)) + times
    sizes = [1] * (rank - x.ndim) + list(x.shape)
    pairs = list(zip(times, sizes, strict=True))
    apart = ops.reshape(x, tuple(n for size in sizes for n in (1, size)))
    wide = ops.broadcast_to(apart, tuple(n for pair in pairs for n in pair))
    return ops.reshape(wide, tuple(map(math.prod, pairs)))


def pad(
    ops: Namespace,
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    *,
    constant_values: float = 0,
) -> Any:
    """The array with a constant at both ends of its axes."""
    if mode != "constant":
        raise ValueError(f"no mode {mode!r} of pad; choices: constant")
    for axis, widths in enumerate(pad_widths(pad_width, x.ndim)):
        if any(widths):
            before, after = (_filled(ops, x, axis, n, constant_values) for n in widths)
            x = ops.concat([before, x, after], axis=axis)
    return x


def pad_widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """How much before and after each axis; one pair, or one number, counts for all.

    >>> pad_widths(1, 2), pad_widths((1, 2), 1)
    ([(1, 1), (1, 1)], [(1, 2)])
    """
    widths = [(int(b), int(a)) for b, a in np.broadcast_to(pad_width, (ndim, 2)).tolist()]
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError(f"pad_width={pad_width!r} has a negative width; take a slice instead")
    return widths


def diff(
    ops: Namespace, x: Any, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Any:
    """The differences of neighbours along an axis, n times."""
    parts = [each for each in (prepend, x, append) if each is not None]
    found = ops.concat(parts, axis=axis) if len(parts) > 1 else x
    before = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        found = found[(*before, slice(1, None))] - found[(*before, slice(None, -1))]
    return found


def cumulative_prod(
    ops: Namespace, x: Any, *, axis: int | None = None, include_initial: bool = False
) -> Any:
    """The products of the first entries along an axis, by doubling: right at zeros."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative_prod of {x.ndim} axes needs axis=")
    place = (axis or 0) % x.ndim
    before = (slice(None),) * place
    if include_initial:
        x = ops.concat([_filled(ops, x, place, 1, 1), x], axis=place)
    reach = 1
    while reach < x.shape[place]:
        later, earlier = x[(*before, slice(reach, None))], x[(*before, slice(None, -reach))]
        x = ops.concat([x[(*before, slice(None, reach))], later * earlier], axis=place)
        reach *= 2
    return x


def _filled(ops: Namespace, x: Any, axis: int, size: int, value: float) -> Any:
    """One number, in the shape of an array but for one axis; also where that is empty."""
    some = ops.astype(ops.sum(ops.stop_gradient(x), axis=axis, keepdims=True), x.dtype)
    return ops.full_like(
        ops.broadcast_to(some, (*x.shape[:axis], size, *x.shape[axis + 1 :])), value
    )


def _listed(thing: Any) -> list[int]:
    return list(thing) if is_sequence(thing) else [thing]


ARRANGING = {f.__name__: f for f in (moveaxis, unstack, repeat, tile, pad, diff, cumulative_prod)}
