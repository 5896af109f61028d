"""The arithmetic of every normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from optshare.dispatch import namespace_of
from optshare.errors import HyperparameterError
from optshare.namespace.protocol import Namespace
from optshare.parameter import Box

Axes = tuple[int, ...]


def moments(ops: Namespace, x: Any, axes: Axes) -> tuple[Any, Any, Any]:
    """The mean over axes, x - mean, and the biased variance: the mean of its squares.

    >>> import numpy as np
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

    >>> import numpy as np
    >>> from optshare import ops
    >>> normalised(ops, np.array([-1., 1.]), np.array([1.]), 0.0, np.array([3.]))
    array([-3.,  3.])
    """
    scale = 1 / ops.sqrt(variance + eps)
    y = centred * (scale if weight is None else scale * weight)
    return y if bias is None else y + bias


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
