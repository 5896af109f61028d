"""Losses: scalars of predictions and targets, on any engine."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from optshare.backend import seam_of
from optshare.dispatch import namespace_of
from optshare.errors import DataError, HyperparameterError, LabelError
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_host
from optshare.parameter import is_array
from optshare.registry import owner

Reduction = Literal["mean", "sum", "none"]


def mse(prediction: Any, target: Any) -> Any:
    """The mean of (prediction - target)**2, over all elements.

    Raises:
        DataError: the shapes differ; nothing is broadcast.

    >>> mse(np.array([1., 3.]), np.array([1., 1.]))
    np.float64(2.0)
    """
    if tuple(prediction.shape) != tuple(target.shape):
        raise DataError(
            f"mse of a prediction of shape {tuple(prediction.shape)} "
            f"and a target of shape {tuple(target.shape)}; they must be equal"
        )
    difference = prediction - target
    return namespace_of(difference).mean(difference * difference)


def nll(scores: Any, labels: Any) -> Any:
    """The mean negative log likelihood of labels under scores that are not yet normalised.

    It applies log-softmax itself, as in Knet and Flux; PyTorch's `nll_loss`
    does not (its `cross_entropy` does).

    Args:
        scores: of shape (..., classes).
        labels: integers from 0, of shape (...).

    Raises:
        LabelError: a label is no integer, or not below the number of classes.

    >>> nll(np.zeros((2, 4)), np.array([0, 3]))
    np.float64(1.3862943611198906)
    """
    return crossentropy(scores, labels)


def crossentropy(
    scores: Any, labels: Any, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
) -> Any:
    """`nll` with options.

    Args:
        scores: of shape (..., classes), not yet normalised.
        labels: integers from 0, of shape (...).
        label_smoothing: how much of each target is spread evenly over all
            classes, in [0, 1].
        reduction: `"mean"`, `"sum"`, or `"none"` for one loss per label.

    Raises:
        LabelError: a label is no integer, or not below the number of classes.
        HyperparameterError: an option out of its range.

    >>> crossentropy(np.zeros((2, 4)), np.array([0, 3]), reduction="sum")
    np.float64(2.772588722239781)
    """
    if not 0 <= label_smoothing <= 1:
        raise HyperparameterError(f"label_smoothing must be in [0, 1], not {label_smoothing!r}")
    ops = namespace_of(scores)
    found = _checked(ops, labels, scores)
    losses = ops.nn.cross_entropy(scores, found)
    if not ops.is_concrete(found):  # what could not be checked must not train in silence
        known = (found >= 0) & (found < scores.shape[-1])
        losses = ops.where(known, losses, ops.full_like(losses, math.nan))
    if label_smoothing:
        even = -ops.mean(ops.nn.log_softmax(scores), axis=-1)
        losses = (1 - label_smoothing) * losses + label_smoothing * even
    return _reduced(ops, losses, reduction)


def accuracy(scores: Any, labels: Any) -> float:
    """The share of labels whose score is the highest, from 0 to 1.

    >>> accuracy(np.array([[1., 0.], [1., 0.]]), np.array([0, 1]))
    0.5
    """
    ops = namespace_of(scores)
    best: Any = ops.argmax(scores, axis=-1)
    return float(np.mean(np.equal(_on_host(best), _checked(ops, labels, scores))))


def _reduced(ops: Namespace, losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise HyperparameterError(f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
    return ops.mean(losses) if reduction == "mean" else ops.sum(losses)


def _checked(ops: Namespace, labels: Any, scores: Any) -> Any:
    """The labels in host memory; as they are, where their numbers are not known yet."""
    dtype = getattr(labels, "dtype", None)
    if dtype is not None and not _is_whole(dtype):
        raise LabelError(
            f"labels must be integers, not {dtype}; if they were differentiated and became "
            f"floats, name the other arguments in wrt="
        )
    concrete = ops.is_concrete(labels)
    found = _on_host(labels) if concrete else labels
    if found.dtype.kind not in "iu":
        raise LabelError(f"labels must be integers, not {found.dtype}")
    if tuple(found.shape) != tuple(scores.shape[:-1]):
        raise LabelError(f"labels of shape {found.shape} for scores of shape {tuple(scores.shape)}")
    if concrete:
        _require_classes(found, scores.shape[-1])
    return found


def _is_whole(dtype: Any) -> bool:
    """Whether a dtype of any engine holds integers; NumPy's say so without being spelled."""
    kind = getattr(dtype, "kind", None)
    return "int" in str(dtype) if kind is None else kind in "iu"


def _on_host(x: Any) -> np.ndarray[Any, Any]:
    foreign = is_array(x) and not is_host(x)
    return seam_of(owner(x)).host_copy(x) if foreign else np.asarray(x)


def _require_classes(found: Any, classes: int) -> None:
    unsigned = found.astype(np.uint64)  # where a negative label is a large one
    if found.size and unsigned.max() >= classes:
        wrong = found.min() if found.min() < 0 else found.max()
        raise LabelError(f"label {wrong} is not one of {classes} classes, counted from 0")
