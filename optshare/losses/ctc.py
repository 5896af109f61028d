"""Connectionist temporal classification: labels of a sequence, wherever in it they come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.backend import constant
from optshare.dispatch import namespace_of
from optshare.errors import DataError, HyperparameterError, LabelError
from optshare.losses.alignments import log_probability
from optshare.losses.arrays import beside, fitting, is_whole, on_host, real
from optshare.losses.labels import indices
from optshare.losses.reducing import Reduction, kept, weighted
from optshare.namespace.protocol import Namespace


def ctc(
    scores: Any,
    labels: Any,
    *,
    input_lengths: Any = None,
    target_lengths: Any = None,
    blank: int = 0,
    zero_infinity: bool = False,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """-log of the probability of the labels, over all their alignments (Graves et al. 2006).

    An alignment gives each step a class; without repetitions, and then without blanks, it is
    the labels. With l' the labels between blanks, alpha_t(s) = y_t(l'_s) (alpha_{t-1}(s)
    + alpha_{t-1}(s-1) + alpha_{t-1}(s-2)), the last only if l'_s is neither blank nor
    l'_{s-2}; here in logarithms.

    Args:
        scores: of shape (batch, time, classes), not yet normalised: it applies log-softmax,
            as Flux's and Keras's, which changes nothing about the log-probabilities that
            PyTorch's takes, in its order (time, batch, classes).
        labels: integers of shape (batch, labels), without blanks, padded with anything.
        input_lengths: how many steps of each sequence there are, (batch,); all by default.
        target_lengths: how many labels of each there are, (batch,); all by default.
        blank: the class of no label.
        zero_infinity: whether labels that do not fit into the steps cost 0 instead of infinity.
            Their gradient is 0 in any case.
        weight: a factor for each sequence, broadcast to (batch,).
        mask: which sequences count, truths or 0 and 1, broadcast to (batch,).
        reduction: `"mean"`, the weighted mean of each loss divided by the number of its labels,
            as PyTorch; `"sum"`; or `"none"`, which divide by nothing.

    Raises:
        DataError: shapes or lengths do not fit.
        LabelError: a label is no integer, blank, or not below the number of classes.
        HyperparameterError: blank is no class.

    >>> ctc(np.zeros((1, 2, 3)), np.array([[1]])).round(12)  # 3 of the 9 paths of 2 steps
    np.float64(1.098612288668)
    """
    scores = real("ctc", "prediction", scores)
    ops = namespace_of(scores)
    _require_scores(scores, blank)
    batch, time, _ = scores.shape
    keep = None if mask is None else kept("ctc", ops, mask, scores[:, 0, 0])
    if keep is not None:
        scores = ops.where(ops.expand_dims(keep, axis=(1, 2)), scores, 1.0)
    labels = _whole(ops, "labels", labels, (batch, None))
    steps = _lengths(ops, "input_lengths", input_lengths, batch, time)
    counts = _lengths(ops, "target_lengths", target_lengths, batch, labels.shape[1])
    labels = _padded(ops, labels, counts, keep, scores.shape[-1], blank)
    labels, steps, counts = (indices(ops, each, scores) for each in (labels, steps, counts))
    losses = -log_probability(ops, ops.nn.log_softmax(scores), labels, steps, counts, blank)
    if zero_infinity:
        losses = ops.where(losses == math.inf, 0.0, losses)
    if keep is not None:
        losses = ops.where(keep, losses, 0.0)
    if reduction == "mean":
        losses = losses / fitting(ops, ops.maximum(counts, 1), losses)
    return weighted("ctc", ops, losses, reduction, weight, keep)


def _require_scores(scores: Any, blank: int) -> None:
    shape = tuple(scores.shape)
    if len(shape) != 3 or 0 in shape[1:]:
        raise DataError(
            f"ctc of scores of shape {shape}; they must be (batch, time, classes), "
            f"with at least one step and one class"
        )
    if not 0 <= blank < shape[-1]:
        raise HyperparameterError(f"blank must be one of {shape[-1]} classes, not {blank!r}")


def _whole(ops: Namespace, what: str, x: Any, shape: tuple[int | None, ...]) -> Any:
    """Integers of a shape, in host memory where their numbers are known; `None` fits any size."""
    found = on_host(x) if ops.is_concrete(x) else x
    if not is_whole(found.dtype):
        raise LabelError(f"ctc: {what} must be integers, not {found.dtype}")
    fits = len(found.shape) == len(shape) and all(
        m in (None, n) for n, m in zip(found.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise DataError(f"ctc: {what} has shape {tuple(found.shape)}; it must be ({wanted})")
    return found


def _lengths(ops: Namespace, what: str, given: Any, batch: int, most: int) -> Any:
    """How long each sequence is, at most as long as there is room."""
    if given is None:
        return constant(np.full(batch, most))
    found = _whole(ops, what, given, (batch,))
    if ops.is_concrete(found) and found.size and not 0 <= found.min() <= found.max() <= most:
        wrong = found.min() if found.min() < 0 else found.max()
        raise DataError(f"ctc: {what} has {wrong}, which is not between 0 and {most}")
    return found


def _padded(ops: Namespace, labels: Any, counts: Any, keep: Any, classes: int, blank: int) -> Any:
    """The labels, with blanks where there are none; at least one for each sequence."""
    if labels.shape[1] == 0:
        return constant(np.full((labels.shape[0], 1), blank))
    places = constant(np.arange(labels.shape[1]))
    if not (ops.is_concrete(labels) and ops.is_concrete(counts)):
        there = beside(ops, places, labels) < ops.expand_dims(beside(ops, counts, labels), axis=1)
        return ops.where(there, beside(ops, labels, there), blank)
    there = places < counts[:, None]
    if keep is not None and ops.is_concrete(keep):
        there = there & on_host(keep)[:, None]
    wrong = labels[there & ((labels < 0) | (labels >= classes) | (labels == blank))]
    if wrong.size:
        raise LabelError(
            f"ctc: label {wrong[0]} is blank, or not one of {classes} classes, counted from 0; "
            f"give target_lengths= where labels are padded"
        )
    return np.where(there, labels, blank)
