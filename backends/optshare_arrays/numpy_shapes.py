"""NumPy's names for what is composed of changes of shape, joining and indexing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from optshare_arrays.axes import along, normal_axes
from optshare_arrays.elementwise import where
from optshare_arrays.indexing import flip, getitem
from optshare_arrays.namespace import ops
from optshare_arrays.primitives import stands_for
from optshare_arrays.shaping import (
    as_array,
    broadcast_to,
    concat,
    expand_dims,
    matrix_transpose,
    moveaxis,
    swapaxes,
)
from optshare_arrays.untyped import np

stands_for(np.tile)(ops.tile)
stands_for(np.unstack)(ops.unstack)


@stands_for(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element along an axis so many times; flattened first where there is no axis."""
    return ops.repeat(a, repeats, axis=axis)


@stands_for(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[Any, ...]:
    """The arrays in the one shape that they broadcast to."""
    shape = np.broadcast_shapes(*(each.shape for each in arrays))
    return tuple(broadcast_to(each, shape) for each in arrays)


# -- at least so many axes -----------------------------------------------------------------


def _at_least(function: Callable[..., Any], index: Callable[[Any], Any]) -> None:
    def call(*arrays: Any) -> Any:
        found = [getitem(each, index(each)) for each in map(as_array, arrays)]
        return tuple(found) if len(found) > 1 else found[0]

    stands_for(function)(call)


_THIRD = {0: (None, None, None), 1: (None, ..., None), 2: (..., None)}


def _at_least_1d(x: Any) -> Any:
    return (..., None) if x.ndim == 0 else ...


def _at_least_2d(x: Any) -> Any:
    return (*(None,) * (2 - x.ndim), ...)


def _at_least_3d(x: Any) -> Any:
    return _THIRD.get(x.ndim, ...)


_at_least(np.atleast_1d, _at_least_1d)
_at_least(np.atleast_2d, _at_least_2d)
_at_least(np.atleast_3d, _at_least_3d)


# -- joining -------------------------------------------------------------------------------


@stands_for(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """One array after the other; flattened first where there is no axis."""
    return concat([arr, values], axis=axis)


@stands_for(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """Arrays side by side; those of one axis become columns."""
    parts = [as_array(each) for each in tup]
    return concat([expand_dims(each, 1) if each.ndim == 1 else each for each in parts], axis=1)


@stands_for(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """Arrays one behind the other, along the third axis."""
    parts = [as_array(each) for each in tup]
    return concat([getitem(each, _at_least_3d(each)) for each in parts], axis=2)


@stands_for(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """The choice of the first condition that holds, else the default."""
    chosen = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        chosen = where(condition, choice, chosen)
    return chosen


# -- splitting -----------------------------------------------------------------------------


@stands_for(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """The parts between places, or so many parts of nearly one size."""
    (place,) = normal_axes(axis, ary.ndim)
    size = ary.shape[place]
    if isinstance(indices_or_sections, int):
        long, rest = size % indices_or_sections, size // indices_or_sections
        sizes = [rest + 1] * long + [rest] * (indices_or_sections - long)
        edges = [0, *np.cumsum(sizes).tolist()]
    else:
        edges = [0, *indices_or_sections, size]
    return [getitem(ary, along(place, slice(start, end))) for start, end in pairwise(edges)]


@stands_for(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """The parts between places, or so many equal parts."""
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            f"an axis of {ary.shape[axis]} cannot be split into {indices_or_sections} equal parts; "
            f"use array_split"
        )
    return array_split(ary, indices_or_sections, axis)


@stands_for(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """The parts along the first axis."""
    return split(ary, indices_or_sections, 0)


@stands_for(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """The parts along the second axis, or along the only one."""
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@stands_for(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """The parts along the third axis."""
    return split(ary, indices_or_sections, 2)


# -- turning -------------------------------------------------------------------------------


@stands_for(np.flipud)
def flipud(m: Any) -> Any:
    """The array upside down."""
    return flip(m, 0)


@stands_for(np.fliplr)
def fliplr(m: Any) -> Any:
    """The array with left and right exchanged."""
    return flip(m, 1)


@stands_for(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """The array turned by k quarters in the plane of two axes."""
    one, other = normal_axes(axes, m.ndim)
    if k % 4 == 2:
        return flip(m, (one, other))
    if k % 4 == 0:
        return m
    return (
        swapaxes(flip(m, other), one, other) if k % 4 == 1 else flip(swapaxes(m, one, other), other)
    )


@stands_for(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """The array with one axis before another."""
    (place,) = normal_axes(axis, a.ndim)
    before = start + a.ndim if start < 0 else start
    return moveaxis(a, place, before - (place < before))


stands_for(np.matrix_transpose, np.linalg.matrix_transpose)(matrix_transpose)
