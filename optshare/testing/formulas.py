"""The losses as formulas in NumPy, one number for each element, to compare with."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return np.logaddexp(x, 0)


def log_softmax(scores: Any) -> Any:
    """scores - log(sum(exp(scores))) along the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def nll(scores: Any, labels: Any) -> Any:
    """-log(softmax(scores)) at each label."""
    return -np.take_along_axis(log_softmax(scores), labels[..., None], axis=-1)[..., 0]


def smoothed(scores: Any, labels: Any, amount: float) -> Any:
    """The cross-entropy with labels smoothed."""
    shares = np.eye(scores.shape[-1])[labels] * (1 - amount) + amount / scores.shape[-1]
    return -(shares * log_softmax(scores)).sum(axis=-1)


def kldivergence(scores: Any, target: Any) -> Any:
    """sum(t log(t / p)), p = softmax(scores)."""
    return (target * (np.log(target) - log_softmax(scores))).sum(axis=-1)


def focal(scores: Any, labels: Any) -> Any:
    """(1 - p)**2 times the cross-entropy."""
    cost = nll(scores, labels)
    return (1 - np.exp(-cost)) ** 2 * cost


def binary(scores: Any, target: Any) -> Any:
    """-t log(p) - (1 - t) log(1 - p), p = sigmoid(scores)."""
    return softplus(scores) - target * scores


def binary_focal(scores: Any, target: Any) -> Any:
    """The same times (1 - q)**2, with q the probability of a target of 0 or 1."""
    cost = binary(scores, target)
    return (1 - np.exp(-cost)) ** 2 * cost


def huber(x: Any, y: Any) -> Any:
    """A parabola that goes on as a line from 1."""
    near = np.clip(x - y, -1, 1)
    return near * (x - y - near / 2)


def hinge(scores: Any, target: Any) -> Any:
    """max(0, 1 - target * score)."""
    return np.maximum(0, 1 - target * scores)


def contrastive(distance: Any, target: Any) -> Any:
    """(1 - t) d**2 + t max(0, 1 - d)**2."""
    return (1 - target) * distance**2 + target * np.maximum(0, 1 - distance) ** 2


def dice(p: Any, t: Any) -> Any:
    """1 - (2 sum(p t) + 1) / (sum(p**2) + sum(t**2) + 1)."""
    return 1 - (2 * (p * t).sum(axis=-1) + 1) / ((p**2 + t**2).sum(axis=-1) + 1)


def tversky(p: Any, t: Any) -> Any:
    """1 - (TP + 1) / (TP + 0.3 FP + 0.7 FN + 1)."""
    hit = (p * t).sum(axis=-1) + 1
    return 1 - hit / (hit + (0.3 * p * (1 - t) + 0.7 * (1 - p) * t).sum(axis=-1))


def ctc(scores: Any, labels: Any) -> Any:
    """-log of the sum over all paths that give the labels, divided by their number."""
    logs, classes = log_softmax(scores), scores.shape[-1]
    found = np.zeros(len(scores))
    for path in itertools.product(range(classes), repeat=scores.shape[1]):
        merged = [each for each, _ in itertools.groupby(path) if each]
        gives = [list(each) == merged for each in labels.tolist()]
        found += gives * np.exp(logs[:, np.arange(len(path)), path].sum(axis=-1))
    return -np.log(found) / labels.shape[-1]
