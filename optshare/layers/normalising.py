"""The arithmetic of every normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.dtypes import working_dtype
from optshare.errors import DataError, HyperparameterError
from optshare.layers.checks import require_floating
from optshare.namespace.protocol import Namespace
from optshare.parameter import Box

Axes = tuple[int, ...]


def moments(ops: Namespace, x: Any, axes: Axes) -> tuple[Any, Any, Any]:
    """The mean over axes, x - mean, and the biased variance: the mean of its squares.

    >>> from optshare import ops
    >>> moments(ops, np.array([1., 3.]), (0,))
    (array([2.]), array([-1.,  1.]), array([1.]))
    """
    mean = ops.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    return mean, centred, ops.mean(ops.square(centred), axis=axes, keepdims=True)


def normalised(
    ops: Namespace, centred: Any, variance: Any, eps: float, weight: Any = None, bias: Any = None
) -> Any:
    """centred / sqrt(variance + eps) * weight + bias.

    >>> from optshare import ops
    >>> normalised(ops, np.array([-1., 1.]), np.array([1.]), 0.0, np.array([3.]))
    array([-3.,  3.])
    """
    scale = 1 / ops.sqrt(variance + eps)
    y = centred * (scale if weight is None else scale * weight)
    return y if bias is None else y + bias


def widened(ops: Namespace, x: Any) -> Any:
    """x, in float32 if it is of half precision, whose squares overflow beyond 256.

    >>> x = np.ones(1, np.float16)
    >>> widened(namespace_of(x), x).dtype
    dtype('float32')
    """
    dtype = working_dtype(x, ops)
    return x if dtype is x.dtype else ops.astype(x, dtype)


def narrowed(ops: Namespace, y: Any, x: Any, weight: Box | None) -> Any:
    """y in the dtype of x, if it was only widened: if the weight has that dtype too.

    >>> from optshare import ops
    >>> narrowed(ops, np.ones(1, np.float32), np.ones(1, np.float16), None).dtype
    dtype('float16')
    """
    if y.dtype == x.dtype or (weight is not None and weight.dtype != x.dtype):
        return y
    return ops.astype(y, x.dtype)


def require_real(layer: Any, x: Any) -> tuple[int, ...]:
    """The shape of an input; raises unless it is an array of real floating numbers."""
    shape = require_floating(layer, x)
    if "complex" in str(x.dtype):
        raise DataError(f"{layer!r} needs real numbers, not an array of {x.dtype}")
    return shape


def require_real_dtype(name: str, dtype: Any) -> None:
    """Raise unless a dtype of NumPy's is one of real floating numbers.

    >>> require_real_dtype("LayerNorm", int)
    Traceback (most recent call last):
    optshare.errors.DataError: LayerNorm: dtype must be one of real floating numbers, not int64
    """
    if np.dtype(dtype).kind != "f":
        raise DataError(
            f"{name}: dtype must be one of real floating numbers, not {np.dtype(dtype)}"
        )


def require_eps(name: str, eps: Any) -> None:
    """Raise unless eps is a finite number that is not negative.

    >>> require_eps("LayerNorm", -1.0)
    Traceback (most recent call last):
    optshare.errors.HyperparameterError: LayerNorm: eps must be finite and at least 0, not -1.0
    """
    if not hasattr(eps, "__float__") or not (isfinite(eps) and eps >= 0):
        raise HyperparameterError(f"{name}: eps must be finite and at least 0, not {eps!r}")


def along(box: Box | None, shape: Sequence[int]) -> Any:
    """The value of a box in a shape that broadcasts; `None` for none.

    >>> from optshare import Parameter
    >>> along(Parameter([1., 2.]), (1, 2, 1)).shape
    (1, 2, 1)
    """
    if box is None:
        return None
    value = box.value
    return namespace_of(value).reshape(value, tuple(shape))
