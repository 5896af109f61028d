"""Products of matrices and tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optshare_arrays import reductions
from optshare_arrays.axes import normal_axes
from optshare_arrays.parts import conj
from optshare_arrays.primitives import Primitive, plain, stands_for
from optshare_arrays.shaping import as_array, expand_dims, matrix_transpose, permute_dims, reshape
from optshare_arrays.untyped import np, op


def _left(g: Any, z: Any, x: Any, y: Any, rows: int, columns: int) -> Any:
    if columns == 1:
        return expand_dims(g, -1) * y
    if rows == 1:
        return matmul(y, expand_dims(g, -1))[..., 0]
    return matmul(g, matrix_transpose(y))


def _right(g: Any, z: Any, x: Any, y: Any, rows: int, columns: int) -> Any:
    if rows == 1:
        return expand_dims(x, -1) * expand_dims(g, -2) if columns > 1 else x * g
    if columns == 1:
        return matmul(matrix_transpose(x), expand_dims(g, -1))[..., 0]
    if columns == 2:  # one product instead of one for each matrix of the batch
        count = math.prod(x.shape[:-1])
        x, g = reshape(x, (count, x.shape[-1])), reshape(g, (count, g.shape[-1]))
    return matmul(matrix_transpose(x), g)


_matmul = Primitive(lambda x, y, rows, columns: np.matmul(x, y), [_left, _right], "matmul")
_FEW_ROWS = 32
"""Up to here OpenBLAS is up to three times faster at y @ g.T than at g @ y.T, copied or not."""


def _times_transposed(g: Any, z: Any, x: Any, y: Any, *_: Any) -> Any:
    """g @ y.T, of matrices."""
    if len(g) > _FEW_ROWS or type(g) is not np.ndarray or type(y) is not np.ndarray:
        return g @ y.T
    return np.ascontiguousarray((y @ g.T).T)


_COPIED = 1_000_000
"""From so many multiplications on OpenBLAS copies the matrices before it multiplies them."""
_MULTIPLIED_ONCE = 16
"""Up to so many rows that copy of a matrix takes longer than the product itself."""
_SHORT = 100
"""Slices of fewer columns are not worth a product each."""


def _step(x: Any, y: Any, columns: int) -> int:
    """How many of x's columns to multiply at once so that OpenBLAS copies nothing; 0 for all."""
    rows, inner = x.shape
    work = rows * inner * columns
    if rows > _MULTIPLIED_ONCE or work <= _COPIED or x.dtype.char not in "fd":
        return 0
    step = -(-inner // -(-work // _COPIED))
    ours = type(x) is np.ndarray and type(y) is np.ndarray and x.dtype is y.dtype
    return step if ours and step >= _SHORT else 0


def _times(x: Any, y: Any) -> Any:
    """x @ y, of matrices: where x has few rows, a sum over slices of its columns."""
    step = _step(x, y, y.shape[1])
    if not step or x.shape[1] != len(y):
        return np.matmul(x, y)
    product = np.matmul(x[:, :step], y[:step])
    for i in range(step, len(y), step):
        product += np.matmul(x[:, i : i + step], y[i : i + step])
    return product


def _transposed_times(g: Any, z: Any, x: Any, *_: Any) -> Any:
    """x.T @ g, of matrices: an outer product of one row, and of few rows slice by slice."""
    if len(g) == 1:
        return x.T * g
    step = _step(x, g, g.shape[1])
    if not step:
        return x.T @ g
    product = np.empty_like(g, shape=(x.shape[1], g.shape[1]), order="C")
    for i in range(0, len(product), step):
        np.matmul(x[:, i : i + step].T, g, out=product[i : i + step])
    return product


_of_matrices = Primitive(
    _times,
    [_times_transposed, _transposed_times],
    name="matmul",
)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    y = _times(x, weight)
    if bias.dtype is not y.dtype:
        return y + bias
    y += bias
    return y


_linear = Primitive(
    _affine,
    [_times_transposed, _transposed_times, lambda g, z, x, y, b: g.sum(axis=0)],
    name="linear",
)


def linear(x: Any, weight: Any, bias: Any) -> Any:
    """x @ weight + bias; one operation where x is a matrix."""
    if x.ndim == 2 and weight.ndim == 2 and bias.ndim == 1:
        return _linear(x, weight, bias)
    return matmul(x, weight) + bias


@stands_for(np.matmul, operator=op.matmul)
def matmul(x: Any, y: Any) -> Any:
    """The product of two matrices, of stacks of them, or of vectors."""
    x, y = as_array(x), as_array(y)
    if x.ndim == 2 and y.ndim == 2:
        return _of_matrices(x, y)
    return _matmul(x, y, np.ndim(plain(x)), np.ndim(plain(y)))


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
    """The inner product along an axis, of the conjugate of x with y."""
    return reductions.sum(conj(x) * y, axis=axis)


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
