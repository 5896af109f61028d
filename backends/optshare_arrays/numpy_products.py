"""NumPy's further products of arrays, and norms."""

from __future__ import annotations

import math
from typing import Any

from optshare_arrays import elementwise as ew
from optshare_arrays import reductions
from optshare_arrays.axes import Axes, normal_axes
from optshare_arrays.parts import squared_modulus
from optshare_arrays.primitives import plain, stands_for
from optshare_arrays.products import matmul, outer, tensordot, vecdot
from optshare_arrays.shaping import as_array, expand_dims, moveaxis, ravel, reshape, stack
from optshare_arrays.untyped import np

stands_for(np.linalg.matmul)(matmul)
stands_for(np.linalg.tensordot)(tensordot)
stands_for(np.linalg.vecdot)(vecdot)


@stands_for(np.linalg.outer)
def _outer_of_vectors(x: Any, y: Any) -> Any:
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"linalg.outer of arrays of {x.ndim} and {y.ndim} axes; both need one")
    return outer(x, y)


@stands_for(np.inner)
def inner(a: Any, b: Any) -> Any:
    """The sum of products over the last axes of both."""
    a, b = as_array(a), as_array(b)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return tensordot(a, b, ((-1,), (-1,)))


@stands_for(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """The sum of the products of all elements, of the conjugate of a with b."""
    return vecdot(ravel(a), ravel(b))


@stands_for(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Each element of one array times the other array."""
    a, b = as_array(a), as_array(b)
    rank = max(np.ndim(a), np.ndim(b))
    if min(np.ndim(a), np.ndim(b)) == 0:
        return a * b
    a = reshape(a, (1,) * (rank - a.ndim) + a.shape)
    b = reshape(b, (1,) * (rank - b.ndim) + b.shape)
    product = expand_dims(a, range(1, 2 * rank, 2)) * expand_dims(b, range(0, 2 * rank, 2))
    return reshape(product, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


@stands_for(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The vector product of vectors with three components."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(as_array(a), axisa, 0), moveaxis(as_array(b), axisb, 0)
    if (a.shape[0], b.shape[0]) != (3, 3):
        raise ValueError(f"cross of vectors with {a.shape[0]} and {b.shape[0]} components; use 3")
    (x, y, z), (u, v, w) = a, b
    return stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=axisc)


@stands_for(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Any:
    """A norm of vectors, or Frobenius' of matrices; its derivative at 0 is 0.

    Raises:
        ValueError: the norm of a matrix by its singular values or its sums.
    """
    axes = normal_axes(axis, x.ndim)
    if ord == "fro" or (ord is None) or (ord == 2 and len(axes) == 1):
        return _root(reductions.sum(squared_modulus(x), axes, keepdims=keepdims))
    if len(axes) != 1:
        raise ValueError(f"the norm ord={ord!r} of a matrix has no derivative here; use 'fro'")
    return _vector_norm(x, ord, axes, keepdims)


@stands_for(np.linalg.vector_norm)
def vector_norm(x: Any, *, axis: Axes = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """A norm over axes taken together."""
    axes = normal_axes(axis, x.ndim)
    if ord == 2:
        return _root(reductions.sum(squared_modulus(x), axes, keepdims=keepdims))
    return _vector_norm(x, ord, axes, keepdims)


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord == math.inf:
        return reductions.max(ew.abs(x), axes, keepdims=keepdims)
    if ord == -math.inf:
        return reductions.min(ew.abs(x), axes, keepdims=keepdims)
    if ord == 0:
        return np.sum(plain(x) != 0, axis=axes, keepdims=keepdims).astype(x.dtype)
    if ord == 1:
        return reductions.sum(ew.abs(x), axes, keepdims=keepdims)
    return _root(reductions.sum(ew.abs(x) ** ord, axes, keepdims=keepdims), 1 / ord)


def _root(total: Any, exponent: float = 0.5) -> Any:
    """A root whose derivative at 0 is 0."""
    none = plain(total) == 0
    safe = ew.where(none, 1.0, total)
    return ew.where(none, 0.0, ew.sqrt(safe) if exponent == 0.5 else safe**exponent)
