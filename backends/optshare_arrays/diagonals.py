"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

from optshare_arrays import reductions
from optshare_arrays.axes import normal_axes
from optshare_arrays.devices import zeros
from optshare_arrays.primitives import Primitive, stands_for
from optshare_arrays.untyped import np

Where = tuple[int, int, int]
"""The offset of a diagonal, and its two axes."""


def _embed(g: Any, shape: tuple[int, ...], where: Where) -> Any:
    """Zeros of a shape, with the last axis of g on a diagonal of two axes."""
    offset, *axes = where
    rows, columns = (shape[axis] for axis in axes)
    rest = [n for axis, n in enumerate(shape) if axis not in axes]
    out = zeros(g, (rows * columns, *rest))
    start, length = max(offset, -offset * columns), g.shape[-1]
    if length:
        places = slice(start, start + length * (columns + 1), columns + 1)
        out[places] = np.moveaxis(g, -1, 0)
    return np.moveaxis(out.reshape((rows, columns, *rest)), (0, 1), axes)


_diagonal = Primitive(
    lambda x, where: np.diagonal(x, *where),
    [lambda g, y, x, where: _embedded(g, x.shape, where)],
    name="diagonal",
)
_embedded = Primitive(
    _embed,
    [lambda g, y, x, shape, where: _diagonal(g, where)],
    name="embed_diagonal",
)
_tril = Primitive(lambda x, k: np.tril(x, k), [lambda g, y, x, k: _tril(g, k)], name="tril")
_triu = Primitive(lambda x, k: np.triu(x, k), [lambda g, y, x, k: _triu(g, k)], name="triu")


@stands_for(np.diagonal)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis."""
    one, other = normal_axes((axis1, axis2), x.ndim)
    return _diagonal(x, (offset, one, other))


@stands_for(np.trace)
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal of two axes."""
    return reductions.sum(diagonal(x, offset, axis1, axis2), -1)


@stands_for(np.diag)
def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with an array of one axis there."""
    if x.ndim > 1:
        return diagonal(x, k)
    size = x.shape[0] + abs(k)
    return _embedded(x, (size, size), (k, 0, 1))


@stands_for(np.tril)
def tril(x: Any, k: int = 0) -> Any:
    """The array with zeros above the k-th diagonal of its last two axes."""
    return _tril(x, k)


@stands_for(np.triu)
def triu(x: Any, k: int = 0) -> Any:
    """The array with zeros below the k-th diagonal of its last two axes."""
    return _triu(x, k)
