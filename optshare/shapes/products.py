"""Products of matrices and tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optshare.errors import DataError
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops, uncounted
from optshare.shapes.reading import shaped, shapes_of
from optshare.shapes.reductions import normal_axes
from optshare.shapes.table import BY_OPERATOR, ops, stands_for
from optshare.shapes.untyped import np, op


@stands_for(np.matmul, np.linalg.matmul, name="matmul")
def matmul(x: Any, y: Any) -> Shaped:
    """The product of two matrices, of stacks of them, or of vectors.

    >>> matmul(Shaped((7, 1, 2, 3), "float32"), Shaped((5, 3, 4), "float32"))
    Shaped((7, 5, 2, 4), float32)
    """
    x, y = shaped(x), shaped(y)
    if 0 in (x.ndim, y.ndim):
        raise DataError(f"matmul of the shapes {shapes_of(x, y)}: both need an axis")
    inner, rows, columns = x.shape[-1], x.shape[-2:-1], y.shape[-1:] if y.ndim > 1 else ()
    if y.shape[-2 if y.ndim > 1 else 0] != inner:
        raise DataError(
            f"matmul of the shapes {shapes_of(x, y)}: x has {inner} columns, and y has "
            f"{y.shape[-2 if y.ndim > 1 else 0]} rows"
        )
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError as error:
        raise DataError(
            f"matmul: stacks of the shapes {shapes_of(x, y)} do not broadcast"
        ) from error
    found = Shaped((*batch, *rows, *columns), np.result_type(x.dtype, y.dtype))
    count_flops(2 * inner * found.size)
    return found


BY_OPERATOR[op.matmul] = matmul


@stands_for(np.dot)
def dot(x: Any, y: Any) -> Any:
    """NumPy's dot, of arrays with at most two axes."""
    x, y = shaped(x), shaped(y)
    if 0 in (x.ndim, y.ndim):
        return x * y
    if y.ndim > 2:
        raise DataError(f"dot of the shapes {shapes_of(x, y)}; use matmul")
    return matmul(x, y)


@stands_for(np.vecdot, np.linalg.vecdot, name="vecdot")
def vecdot(x: Any, y: Any, *, axis: int = -1) -> Any:
    """The inner product along an axis, of the conjugate of x with y."""
    with uncounted():
        products = ops.conj(shaped(x)) * shaped(y)
        found = ops.sum(products, axis=axis)
    count_flops(2 * products.size)
    return found


@stands_for(np.tensordot, np.linalg.tensordot, name="tensordot")
def tensordot(x: Any, y: Any, axes: Any = 2) -> Shaped:
    """The sum of products over pairs of axes: the last of x and the first of y, or as listed.

    >>> tensordot(Shaped((2, 3, 4), "int8"), Shaped((4, 2, 5), "int8"), ((0, 2), (1, 0)))
    Shaped((3, 5), int8)
    """
    x, y = shaped(x), shaped(y)
    if isinstance(axes, int):
        axes = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    mine, theirs = normal_axes(axes[0], x.ndim), normal_axes(axes[1], y.ndim)
    summed = _sizes(x, mine)
    if summed != _sizes(y, theirs):
        raise DataError(
            f"tensordot of the shapes {shapes_of(x, y)} over the axes {mine} and {theirs}: "
            f"they have the sizes {summed} and {_sizes(y, theirs)}"
        )
    rows = [n for axis, n in enumerate(x.shape) if axis not in mine]
    columns = [n for axis, n in enumerate(y.shape) if axis not in theirs]
    found = Shaped((*rows, *columns), np.result_type(x.dtype, y.dtype))
    count_flops((2 if mine else 1) * math.prod(summed) * found.size)
    return found


def _sizes(x: Shaped, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(x.shape[axis] for axis in axes)


@stands_for(np.outer)
def outer(x: Any, y: Any) -> Any:
    """The outer product of two arrays, flattened."""
    return tensordot(ops.reshape(x, (-1,)), ops.reshape(y, (-1,)), 0)


@stands_for(np.linalg.outer)
def _outer_of_vectors(x: Any, y: Any) -> Any:
    return tensordot(x, y, 0)


@stands_for(np.inner)
def inner(a: Any, b: Any) -> Any:
    """The sum of products over the last axes of both."""
    a, b = shaped(a), shaped(b)
    return a * b if 0 in (a.ndim, b.ndim) else tensordot(a, b, ((-1,), (-1,)))


@stands_for(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """The sum of the products of all elements."""
    return vecdot(ops.reshape(a, (-1,)), ops.reshape(b, (-1,)))
