"""Broadcasting and casting, and how a cotangent is brought back from them."""

from __future__ import annotations

from typing import Any

from optshare.extend import DifferentiationError
from optshare_arrays.parts import is_complex, real
from optshare_arrays.primitives import Primitive
from optshare_arrays.untyped import np


def _sum_to(x: Any, shape: tuple[int, ...], whole: tuple[int, ...]) -> Any:
    """Sum over the axes that broadcasting added or stretched."""
    extra = tuple(range(len(whole) - len(shape)))
    if whole[len(extra) :] == shape:
        return x.sum(axis=extra)
    stretched = tuple(
        len(extra) + axis
        for axis, size in enumerate(shape)
        if size == 1 and whole[len(extra) + axis] != 1
    )
    return x.sum(axis=extra + stretched, keepdims=True).reshape(shape)


_sum_to_shape = Primitive(
    _sum_to, [lambda g, ans, x, shape, whole: _broadcast(g, whole, shape)], "sum"
)


_OF_NUMPY = np.ndarray, np.generic


def _broadcast_to(x: Any, shape: tuple[int, ...], part: tuple[int, ...]) -> Any:
    if part or not isinstance(x, _OF_NUMPY):
        return np.broadcast_to(x, shape)
    view = np.ndarray(shape, x.dtype, np.asarray(x), 0, (0,) * len(shape))
    view.flags.writeable = False
    return view


_broadcast = Primitive(
    _broadcast_to,
    [lambda g, ans, x, shape, part: sum_to(g, part)],
    name="broadcast_to",
)
_cast = Primitive(
    lambda x, dtype: x.astype(dtype, copy=False),
    [lambda g, ans, x, dtype: g if dtype.kind in "fc" else None],
    name="astype",
)


def broadcast(x: Any, shape: tuple[int, ...]) -> Any:
    """x repeated along new axes and axes of size 1."""
    return _broadcast(x, shape, x.shape)


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """x summed over the axes that broadcasting to its shape would add or stretch."""
    return _sum_to_shape(x, shape, x.shape)


def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype; no gradient flows through integers and truths."""
    return _cast(x, np.dtype(dtype))


def fitted(g: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A cotangent in the shape and dtype of its argument: summed, and real where that is real."""
    if g.shape != shape:
        g = sum_to(_broadcast_of(g, shape), shape)
    if g.dtype == dtype:
        return g
    if is_complex(g) and dtype.kind != "c":
        g = real(g)
    return cast(g, dtype)


def _broadcast_of(g: Any, shape: tuple[int, ...]) -> Any:
    """g, if its shape is what an argument's shape can be broadcast to."""
    mine = g.shape[len(g.shape) - len(shape) :] if len(g.shape) >= len(shape) else ()
    if len(mine) == len(shape) and all(
        size in (1, each) for size, each in zip(shape, mine, strict=True)
    ):
        return g
    raise DifferentiationError(
        f"a VJP gave a cotangent of shape {g.shape} for an argument of shape {shape}; "
        f"give one of the argument's shape, or of what it was broadcast to"
    )
