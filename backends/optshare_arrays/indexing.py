"""Indexing: basic, boolean and integer, with repeats."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from optshare_arrays.primitive import Primitive, plain, stands_for

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def _scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of a shape, with g added at an index."""
    out = np.zeros(shape, g.dtype, like=g)
    places = index if isinstance(index, tuple) else (index,)  # pyright: ignore[reportUnknownVariableType] # any index
    if all(isinstance(each, _BASIC) and not isinstance(each, bool) for each in places):  # pyright: ignore[reportUnknownVariableType] # any index
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


_getitem = Primitive(
    operator.getitem,
    [lambda g, y, x, index: _scattered(g, index, x.shape)],
)
_scattered = Primitive(
    _scatter,
    [lambda g, y, x, index, shape: _getitem(g, index)],
    name="scatter",
)


@stands_for(operator=operator.getitem)
def getitem(x: Any, index: Any) -> Any:
    """X at an index; an element taken several times receives the sum of its gradients."""
    return _getitem(x, _plain_index(index))


@stands_for(np.take)
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries at integer indices along an axis."""
    if axis is None:
        x, axis = x.reshape((-1,)), 0
    return getitem(x, (slice(None),) * (axis % x.ndim) + (np.asarray(plain(indices)),))


@stands_for(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """For each place of `indices`, the entry of x there, along an axis."""
    indices = plain(indices)
    axis %= x.ndim
    mesh = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    mesh[axis] = indices
    return getitem(x, tuple(mesh))


@stands_for(np.flip)
def flip(x: Any, axis: Any = None) -> Any:
    """The array reversed along axes; along all by default."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)  # pyright: ignore[reportUnknownVariableType] # NumPy's own mixture
    reversed_ = {each % x.ndim for each in axes}  # pyright: ignore[reportUnknownVariableType] # NumPy's own mixture
    return getitem(x, tuple(slice(None, None, -1 if i in reversed_ else 1) for i in range(x.ndim)))


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_plain_index(each) for each in index)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType] # any index
    return np.asarray(index) if isinstance(index, list) else plain(index)
