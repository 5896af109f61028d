"""Indexing: basic, boolean and integer, with repeats."""

from __future__ import annotations

import math
from typing import Any, cast

from optshare_arrays.axes import along, normal_axes
from optshare_arrays.devices import add_at, is_on_device, zeros
from optshare_arrays.primitives import Primitive, plain, stands_for
from optshare_arrays.untyped import np, op

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def _scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of a shape, with g added at an index."""
    out = zeros(g, shape)
    places = cast(tuple[Any, ...], index if isinstance(index, tuple) else (index,))
    if all(isinstance(each, _BASIC) and not isinstance(each, bool) for each in places):
        out[index] = g
    elif isinstance(out, np.ndarray) and _takes_rows(places):
        _add_rows(out, places[0], g)
    else:
        add_at(out, index, g)
    return out


def _takes_rows(places: tuple[Any, ...]) -> bool:
    """Whether an index is one array of integers, for the first axis."""
    return len(places) == 1 and isinstance(places[0], np.ndarray) and places[0].dtype.kind in "iu"


def _add_rows(out: Any, rows: Any, g: Any) -> None:
    """Add g at rows; in one dimension `np.add.at` is ten times faster than in two.

    It takes some rows at a time, which bounds the memory of their elements' positions.
    """
    width = math.prod(out.shape[1:])
    starts, flat = rows.reshape(-1, 1).astype(np.intp) * width, out.reshape(-1)
    g, columns = g.reshape(len(starts), width), np.arange(width)
    count = max(1, _CHUNK // max(1, width))
    for start in range(0, len(starts), count):
        some = slice(start, start + count)
        np.add.at(flat, (starts[some] + columns).reshape(-1), g[some].reshape(-1))


_CHUNK = 1 << 16
"""How many elements are added at once: their positions stay in the cache."""

_getitem = Primitive(
    lambda x, index, shape: x[index],
    [lambda g, y, x, index, shape: _scattered(g, index, shape)],
    name="getitem",
)
_scattered = Primitive(
    _scatter,
    [lambda g, y, x, index, shape: _getitem(g, index, shape)],
    name="scatter",
)


@stands_for(operator=op.getitem)
def getitem(x: Any, index: Any) -> Any:
    """x at an index; an element taken several times receives the sum of its gradients."""
    return _getitem(x, _plain_index(index), x.shape)


@stands_for(np.take)
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries at integer indices along an axis."""
    if axis is None:
        x, axis = x.reshape((-1,)), 0
    (place,) = normal_axes(axis, x.ndim)
    taken: Any = getitem(x, along(place, _plain_index(indices)))
    is_view = isinstance(indices, int | np.integer) and (
        isinstance(taken, np.ndarray) or is_on_device(taken)
    )
    return taken.copy() if is_view else taken


@stands_for(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """For each place of `indices`, the entry of x there, along an axis."""
    indices = plain(indices)
    if axis is None:
        x, axis = x.reshape((-1,)), 0
    (place,) = normal_axes(axis, x.ndim)
    mesh = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    mesh[place] = indices
    return getitem(x, tuple(mesh))


@stands_for(np.flip)
def flip(x: Any, axis: Any = None) -> Any:
    """The array reversed along axes; along all by default."""
    turned = normal_axes(axis, x.ndim)
    return getitem(x, tuple(slice(None, None, -1 if i in turned else 1) for i in range(x.ndim)))


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_plain_index, cast(tuple[Any, ...], index)))
    return np.asarray(index) if isinstance(index, list) else plain(index)
