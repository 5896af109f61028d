"""What the losses over classes share: log-probabilities beside labels or beside probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from optshare.errors import DataError
from optshare.losses.arguments import RANGE, require_within
from optshare.losses.arrays import array, fitting, is_floating, namespace_beside, real
from optshare.losses.labels import checked, indices, known, one_hot, unmasked
from optshare.losses.reducing import kept, reduced
from optshare.namespace.protocol import Namespace


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Scores of shape (..., classes) and what they are compared with.

    Args:
        name: the loss.
        ops: the namespace.
        scores: floating numbers.
        logits: whether they are not yet probabilities.
        labels: integers of shape (...), or `None`.
        target: probabilities of the shape of the scores, or `None`.
        weight: one for each class, or `None`.
        keep: which rows count, or `None`.
    """

    name: str
    ops: Namespace
    scores: Any
    logits: bool
    labels: Any
    target: Any
    weight: Any
    keep: Any

    def log_at_labels(self) -> Any:
        """log(p) of each label, (...)."""
        ops = self.ops
        if self.logits:
            return -ops.nn.cross_entropy(self.scores, self.labels)
        places = ops.expand_dims(indices(ops, self.labels, self.scores), axis=-1)
        return ops.log(ops.squeeze(ops.take_along_axis(self.scores, places, axis=-1), axis=-1))

    def logs(self, share: Any) -> Any:
        """log(p) of each class; 0 where it is infinite and a factor that is 0 follows."""
        ops = self.ops
        if not self.logits:
            nothing = (share == 0) & (self.scores == 0)
            return ops.log(ops.where(nothing, 1.0, self.scores))
        logs = ops.nn.log_softmax(self.scores)
        return ops.where((share == 0) & (logs == -math.inf), 0.0, logs)

    def shares(self) -> Any:
        """The target probabilities; those of labels are 0 and 1."""
        if self.target is not None:
            return self.target
        return one_hot(self.ops, indices(self.ops, self.labels, self.scores), self.scores)

    def summed(self, terms: Any) -> Any:
        """The sum over classes, each times its weight."""
        return self.ops.sum(terms if self.weight is None else terms * self.weight, axis=-1)

    def at_labels(self, rows: Any) -> Any:
        """One number for each label, times the weight of its class."""
        return rows if self.weight is None else rows * self._weights_of_labels()

    def reduced(self, rows: Any, reduction: str) -> Any:
        """One loss for each row, already weighted, as the reduction says.

        The mean divides by the sum of the weights of the rows that count: that of the class
        of a label, or the mean of the classes' under the target probabilities.
        """
        ops = self.ops
        if self.labels is not None and not ops.is_concrete(self.labels):
            rows = known(ops, self.labels, rows, self.scores.shape[-1])
        counts = None
        if self.weight is not None:
            labelled = self.labels is not None
            counts = self._weights_of_labels() if labelled else self.summed(self.target)
        elif self.keep is not None:
            counts = ops.ones_like(rows)
        if self.keep is not None:
            rows, counts = ops.where(self.keep, rows, 0.0), ops.where(self.keep, counts, 0.0)
        return reduced(self.name, ops, rows, reduction, counts)

    def _weights_of_labels(self) -> Any:
        places = indices(self.ops, self.labels, self.scores)
        flat = self.ops.take(self.weight, self.ops.reshape(places, (-1,)), axis=0)
        return self.ops.reshape(flat, tuple(places.shape))


def compared(
    name: str, scores: Any, target: Any, *, logits: bool, weight: Any, mask: Any
) -> Classes:
    """Scores beside a target, which is of labels, or of probabilities of the same shape.

    Raises:
        DataError: shapes do not fit, a probability is not in [0, 1], or the mask keeps nothing.
        LabelError: a label that counts names no class.
    """
    scores = real(name, "prediction", scores)
    target = array(target)
    if not scores.shape:
        raise DataError(f"{name} of scores of shape (); they must be (..., classes)")
    ops = namespace_beside(scores, target)
    keep = None if mask is None else kept(name, ops, mask, scores[..., 0])
    if keep is not None:
        scores = ops.where(ops.expand_dims(keep, axis=-1), scores, 1.0)
    labels, target = _split(name, ops, scores, target, keep)
    if not logits:
        require_within(name, "prediction", ops, scores, RANGE)
    if weight is not None:
        weight = _class_weights(name, ops, weight, scores)
    return Classes(
        name=name,
        ops=ops,
        scores=scores,
        logits=logits,
        labels=labels,
        target=target,
        weight=weight,
        keep=keep,
    )


def is_probabilities(target: Any, scores: Any) -> bool:
    """Whether a target is an array of floating numbers, one for each score."""
    return tuple(target.shape) == tuple(scores.shape) and is_floating(target.dtype)


def _split(name: str, ops: Namespace, scores: Any, target: Any, keep: Any) -> tuple[Any, Any]:
    """The target as (labels, None) or as (None, probabilities)."""
    if not is_probabilities(target, scores):
        return checked(ops, unmasked(ops, target, keep), scores), None
    target = fitting(ops, target, scores)
    if keep is not None:
        target = ops.where(ops.expand_dims(keep, axis=-1), target, 1.0)
    require_within(name, "target", ops, target, "give labels, or probabilities of the classes")
    return None, target


def _class_weights(name: str, ops: Namespace, weight: Any, scores: Any) -> Any:
    weight = fitting(ops, weight, scores)
    if tuple(weight.shape) != (scores.shape[-1],):
        raise DataError(
            f"{name}: the weight has shape {tuple(weight.shape)} for {scores.shape[-1]} classes; "
            f"give one number for each class"
        )
    return weight
