"""Functions of neural networks that are worth a primitive of their own."""

from __future__ import annotations

from typing import Any

from optshare_arrays import reductions
from optshare_arrays.elementwise import exp
from optshare_arrays.primitives import Primitive, plain
from optshare_arrays.untyped import np

LARGE = 1 << 12
"""From how many elements on NumPy's maximum of two arrays is worth the zeros to compare with."""


def _relu(x: Any) -> Any:
    if x.size < LARGE:
        return np.maximum(x, 0)
    y = np.zeros_like(x)
    return np.maximum(x, y, out=y)


def _sigmoid(x: Any) -> Any:
    if x.dtype.kind == "c":
        small = np.exp(np.where(x.real > 0, -x, x))
        return np.where(x.real > 0, 1, small) / (1 + small)
    small = np.exp(-np.abs(x))
    return np.where(x > 0, 1, small).astype(x.dtype) / (1 + small)


def _log_softmax(x: Any, axis: int) -> Any:
    shifted = x - x.real.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


relu = Primitive(_relu, [lambda g, y, x: g * (plain(y) > 0).astype(g.dtype)], name="relu")
sigmoid = Primitive(_sigmoid, [lambda g, y, x: g * (y * (1 - y))], name="sigmoid")
_log_softmax_along = Primitive(
    _log_softmax,
    [lambda g, y, x, axis: g - exp(y) * reductions.sum(g, axis, keepdims=True)],
    name="log_softmax",
)


def _softmax(x: Any, axis: int) -> Any:
    y = np.exp(x - x.real.max(axis=axis, keepdims=True))
    y /= y.sum(axis=axis, keepdims=True)
    return y


_softmax_along = Primitive(
    _softmax,
    [lambda g, y, x, axis: y * (g - reductions.sum(g * y, axis, keepdims=True))],
    name="softmax",
)


def softmax(x: Any, *, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis."""
    return _softmax_along(x, axis)


def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """x - logsumexp(x) along an axis."""
    return _log_softmax_along(x, axis)
