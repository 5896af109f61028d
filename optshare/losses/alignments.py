"""The sum over all alignments of a sequence with its labels, in logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.backend import constant
from optshare.losses.arrays import fitting
from optshare.namespace.protocol import Namespace


def log_probability(
    ops: Namespace, logs: Any, labels: Any, steps: Any, counts: Any, blank: int
) -> Any:
    """The logarithm of the probability of labels (Graves et al. 2006, section 4.1).

    Args:
        ops: the namespace.
        logs: log-probabilities, (batch, time, classes).
        labels: (batch, labels), at least one; blank where there is none.
        steps: how many steps count, (batch,).
        counts: how many labels, (batch,).
        blank: the class of no label.

    Returns:
        One for each sequence, (batch,); minus infinity, with gradient 0, where there is none.
    """
    between = _between_blanks(ops, labels, blank)
    batch, time, places = *logs.shape[:2], between.shape[1]
    wanted = ops.broadcast_to(ops.expand_dims(between, axis=1), (batch, time, places))
    emitted = ops.permute_dims(ops.take_along_axis(logs, wanted, axis=-1), (1, 0, 2))
    start = np.full((batch, places), -math.inf)
    start[:, 0] = 0.0
    start = fitting(ops, constant(start), logs)
    _, alphas = ops.scan(_recursion(ops, between, start, blank), start, emitted)
    alphas = ops.concat([ops.expand_dims(start, axis=0), alphas], axis=0)
    at = ops.broadcast_to(ops.expand_dims(steps, axis=(0, 2)), (1, batch, places))
    return _ended(ops, ops.squeeze(ops.take_along_axis(alphas, at, axis=0), axis=0), counts)


def _between_blanks(ops: Namespace, labels: Any, blank: int) -> Any:
    """b l1 b l2 ... b, (batch, 2 * labels + 1)."""
    blanks = ops.full_like(labels, blank)
    pairs = ops.reshape(ops.stack([blanks, labels], axis=-1), (labels.shape[0], -1))
    return ops.concat([pairs, blanks[:, :1]], axis=1)


def _recursion(ops: Namespace, between: Any, start: Any, blank: int) -> Any:
    """One step of alpha."""
    two_before = ops.concat([ops.full_like(between[:, :2], blank), between[:, :-2]], axis=1)
    may_skip = (between != blank) & (between != two_before)
    none = ops.full_like(start[:, :2], -math.inf)

    def step(alpha: Any, emitted: Any) -> tuple[Any, Any]:
        one = ops.concat([none[:, :1], alpha[:, :-1]], axis=1)
        two = ops.where(may_skip, ops.concat([none, alpha[:, :-2]], axis=1), -math.inf)
        alpha = emitted + log_sum(ops, alpha, one, two)
        return alpha, alpha

    return step


def _ended(ops: Namespace, alpha: Any, counts: Any) -> Any:
    """Whether at the last label or at the blank after it."""
    last = ops.expand_dims(2 * counts, axis=1)
    after = ops.take_along_axis(alpha, last, axis=1)
    at = ops.take_along_axis(alpha, ops.maximum(last - 1, 0), axis=1)
    at = ops.where(last == 0, -math.inf, at)
    return ops.squeeze(log_sum(ops, after, at), axis=1)


def log_sum(ops: Namespace, *terms: Any) -> Any:
    """log(exp(x) + exp(y) + ...); where all are minus infinity, so is it, with gradient 0."""
    stacked = ops.stack(terms, axis=0)
    top = ops.stop_gradient(ops.max(stacked, axis=0))
    top = ops.where(top > -math.inf, top, 0.0)
    total = ops.sum(ops.exp(stacked - top), axis=0)
    none = total == 0
    return ops.where(none, -math.inf, ops.log(ops.where(none, 1.0, total)) + top)
