"""Labels: integers from 0 that name classes, checked wherever their numbers are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.backend import constant
from optshare.errors import LabelError
from optshare.losses.arrays import beside, is_whole, on_host
from optshare.namespace.protocol import Namespace


def checked(ops: Namespace, labels: Any, scores: Any) -> Any:
    """The labels in host memory; as they are, where their numbers are not known yet.

    Raises:
        LabelError: they are no integers, of another shape than the scores before their
            last axis, or not all below the number of classes.
    """
    dtype = getattr(labels, "dtype", None)
    if dtype is not None and not is_whole(dtype):
        raise LabelError(
            f"labels must be integers, not {dtype}; if they were differentiated and became "
            f"floats, name the other arguments in wrt="
        )
    concrete = ops.is_concrete(labels)
    found = on_host(labels) if concrete else labels
    if found.dtype.kind not in "iu":
        raise LabelError(f"labels must be integers, not {found.dtype}")
    if tuple(found.shape) != tuple(scores.shape[:-1]):
        raise LabelError(f"labels of shape {found.shape} for scores of shape {tuple(scores.shape)}")
    if concrete:
        require_classes(found, scores.shape[-1])
    return found


def require_classes(found: Any, classes: int) -> None:
    """Raise `LabelError` for a label that names no class."""
    unsigned = found.astype(np.uint64)  # where a negative label is a large one
    if found.size and unsigned.max() >= classes:
        wrong = found.min() if found.min() < 0 else found.max()
        raise LabelError(f"label {wrong} is not one of {classes} classes, counted from 0")


def unmasked(ops: Namespace, labels: Any, keep: Any) -> Any:
    """Labels with 0 where they are left out, so that anything may stand there."""
    if keep is None:
        return labels
    if ops.is_concrete(labels):
        labels = on_host(labels)
    if tuple(labels.shape) != tuple(keep.shape) or not is_whole(labels.dtype):
        return labels  # which will be refused
    if ops.is_concrete(labels) and ops.is_concrete(keep):
        return np.multiply(on_host(keep), labels, dtype=labels.dtype)
    return ops.where(keep, beside(ops, labels, keep), 0)


def indices(ops: Namespace, labels: Any, like: Any) -> Any:
    """Checked labels as the engine's array."""
    on_host = isinstance(labels, np.ndarray)
    return beside(ops, labels.astype(np.int64, copy=False) if on_host else labels, like)


def known(ops: Namespace, labels: Any, losses: Any, classes: int) -> Any:
    """Losses, NaN where a label names no class: what could not be checked must not train."""
    found = (labels >= 0) & (labels < classes)
    return ops.where(found, losses, ops.full_like(losses, math.nan))


def one_hot(ops: Namespace, labels: Any, like: Any) -> Any:
    """1 at each label, in the shape and dtype of the scores."""
    classes = beside(ops, constant(np.arange(like.shape[-1])), like)
    return ops.astype(ops.expand_dims(labels, axis=-1) == classes, like.dtype)
