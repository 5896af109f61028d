"""Products of matrices and tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optshare_arrays import reductions
from optshare_arrays.axes import normal_axes
from optshare_arrays.primitive import Primitive, stands_for, unbroadcast
from optshare_arrays.shaping import as_array, expand_dims, matrix_transpose, permute_dims, reshape
from optshare_arrays.untyped import np, op


def _left(g: Any, z: Any, x: Any, y: Any) -> Any:
    if y.ndim == 1:
        return unbroadcast(expand_dims(g, -1) * y, x)
    if x.ndim == 1:
        return unbroadcast(matmul(y, expand_dims(g, -1))[..., 0], x)
    return unbroadcast(matmul(g, matrix_transpose(y)), x)


def _right(g: Any, z: Any, x: Any, y: Any) -> Any:
    if x.ndim == 1:
        outer = expand_dims(x, -1) * expand_dims(g, -2) if y.ndim > 1 else x * g
        return unbroadcast(outer, y)
    if y.ndim == 1:
        return unbroadcast(matmul(matrix_transpose(x), expand_dims(g, -1))[..., 0], y)
    if y.ndim == 2:  # one product instead of one for each matrix of the batch
        rows = math.prod(x.shape[:-1])
        x, g = reshape(x, (rows, x.shape[-1])), reshape(g, (rows, g.shape[-1]))
    return unbroadcast(matmul(matrix_transpose(x), g), y)


matmul = stands_for(np.matmul, operator=op.matmul)(Primitive(np.matmul, [_left, _right]))


@stands_for(np.dot)
def dot(x: Any, y: Any) -> Any:
    """NumPy's dot, of arrays with at most two axes."""
    x, y = as_array(x), as_array(y)
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return x * y
    if y.ndim > 2:
        raise ValueError(f"dot with {y.ndim} axes is not supported on tracked values; use matmul")
    return matmul(x, y)


@stands_for(np.vecdot)
def vecdot(x: Any, y: Any, *, axis: int = -1) -> Any:
    """The inner product along an axis."""
    return reductions.sum(x * y, axis=axis)


@stands_for(np.outer)
def outer(x: Any, y: Any) -> Any:
    """The outer product of two arrays, flattened."""
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


@stands_for(np.tensordot)
def tensordot(x: Any, y: Any, axes: int | tuple[Any, Any] = 2) -> Any:
    """The sum of products over pairs of axes: the last of x and the first of y, or as listed."""
    mine, theirs = _pairs(axes, x.ndim)
    mine, theirs = list(normal_axes(mine, x.ndim)), list(normal_axes(theirs, y.ndim))
    rows = [axis for axis in range(x.ndim) if axis not in mine]
    columns = [axis for axis in range(y.ndim) if axis not in theirs]
    inner = _size(x, mine)
    left = reshape(permute_dims(x, rows + mine), (_size(x, rows), inner))
    right = reshape(permute_dims(y, theirs + columns), (inner, _size(y, columns)))
    shape = [x.shape[axis] for axis in rows] + [y.shape[axis] for axis in columns]
    return reshape(matmul(left, right), tuple(shape))


def _size(x: Any, axes: Sequence[int]) -> int:
    return math.prod(x.shape[axis] for axis in axes)


def _pairs(axes: Any, ndim: int) -> tuple[Any, Any]:
    """The axes of both arrays; a number counts the last of one and the first of the other."""
    if isinstance(axes, int):
        return tuple(range(ndim - axes, ndim)), tuple(range(axes))
    return axes
