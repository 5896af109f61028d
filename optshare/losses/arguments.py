"""What losses are given: predictions beside targets of one shape, and numbers in a range."""

from __future__ import annotations

import math
from typing import Any

from optshare.errors import DataError, HyperparameterError
from optshare.losses.arrays import array, fitting, namespace_beside, numbers_of, real
from optshare.losses.reducing import kept
from optshare.namespace.protocol import Namespace

RANGE = "with logits=False the scores are probabilities; leave it out for any numbers"
"""What to do about a score that is no probability."""


def paired(
    name: str, prediction: Any, target: Any, mask: Any = None
) -> tuple[Namespace, Any, Any, Any]:
    """The namespace, both arrays in the prediction's dtype, and which elements count.

    Where a mask leaves an element out, both are 1: whatever stands there, be it
    NaN, is in neither the loss nor its gradient.
    """
    prediction = real(name, "prediction", prediction)
    target = array(target)
    ops = namespace_beside(prediction, target)
    target = fitting(ops, target, prediction)
    if tuple(prediction.shape) != tuple(target.shape):
        raise DataError(
            f"{name} of a prediction of shape {tuple(prediction.shape)} "
            f"and a target of shape {tuple(target.shape)}; they must be equal"
        )
    if mask is None:
        return ops, prediction, target, None
    keep = kept(name, ops, mask, prediction)
    return ops, ops.where(keep, prediction, 1.0), ops.where(keep, target, 1.0), keep


def require_within(
    name: str, what: str, ops: Namespace, x: Any, fix: str, low: float = 0.0, high: float = 1.0
) -> None:
    """Raise `DataError` for a number below or above; not for NaN, nor for what is not known yet."""
    numbers = numbers_of(ops, x)
    if numbers is None or not numbers.size:
        return
    least, most = float(numbers.min()), float(numbers.max())
    if least < low or most > high:
        wrong = least if least < low else most
        raise DataError(f"{name}: the {what} has {wrong:g}, not in [{low:g}, {high:g}]; {fix}")


def require_share(name: str, value: float) -> None:
    """Raise `HyperparameterError` unless a number is in [0, 1]."""
    if not 0 <= value <= 1:
        raise HyperparameterError(f"{name} must be in [0, 1], not {value!r}")


def require_positive(name: str, value: float) -> None:
    """Raise `HyperparameterError` unless a number is positive and finite."""
    if not 0 < value < math.inf:
        raise HyperparameterError(f"{name} must be positive and finite, not {value!r}")


def require_not_negative(name: str, value: float) -> None:
    """Raise `HyperparameterError` unless a number is 0 or positive, and finite."""
    if not 0 <= value < math.inf:
        raise HyperparameterError(f"{name} must be at least 0 and finite, not {value!r}")
