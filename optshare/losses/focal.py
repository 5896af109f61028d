"""Focal losses: cross-entropies that look away from what is already right."""

from __future__ import annotations

from typing import Any

from optshare.losses.arguments import paired, require_not_negative
from optshare.losses.binary import binary_losses, require_probabilities
from optshare.losses.classes import compared
from optshare.losses.numerics import power
from optshare.losses.reducing import Reduction, weighted


def focal(
    scores: Any,
    target: Any,
    *,
    gamma: float = 2.0,
    logits: bool = True,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """-sum(t (1 - p)**gamma log(p)) over the classes, with p = softmax(scores) (Lin et al. 2017).

    gamma says how little the right ones count; 0 gives the cross-entropy. Arguments and
    exceptions are those of `crossentropy`; `weight=` is the paper's alpha, for each class.

    Raises:
        HyperparameterError: gamma is negative.

    >>> import numpy as np
    >>> focal(np.zeros((1, 2)), np.array([1]))
    np.float64(0.17328679513998632)
    """
    require_not_negative("gamma", gamma)
    classes = compared("focal", scores, target, logits=logits, weight=weight, mask=mask)
    ops = classes.ops
    if classes.labels is not None:
        log = classes.log_at_labels()
        return classes.reduced(
            -classes.at_labels(power(ops, -ops.expm1(log), gamma) * log), reduction
        )
    t = classes.shares()
    logs = classes.logs(t)
    terms = t * (power(ops, -ops.expm1(logs), gamma) * logs)
    return classes.reduced(-classes.summed(terms), reduction)


def binary_focal(
    scores: Any,
    target: Any,
    *,
    gamma: float = 2.0,
    logits: bool = True,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The cross-entropy of two classes times (1 - q)**gamma (Lin et al. 2017).

    q = t p + (1 - t) (1 - p) is the probability of what is so, with p = sigmoid(scores). The
    paper's alpha is `weight=alpha * t + (1 - alpha) * (1 - t)`. gamma says how little the right
    ones count; 0 gives the cross-entropy. Arguments and exceptions are those of
    `binarycrossentropy`.

    Raises:
        HyperparameterError: gamma is negative.

    >>> import numpy as np
    >>> binary_focal(np.array([0., 0.]), np.array([0, 1]))
    np.float64(0.17328679513998632)
    """
    require_not_negative("gamma", gamma)
    ops, p, t, keep = paired("binary_focal", scores, target, mask)
    require_probabilities("binary_focal", ops, t, p, logits)
    high, low = (ops.nn.sigmoid(p), ops.nn.sigmoid(-p)) if logits else (p, 1 - p)
    wrong = t * low + (1 - t) * high
    losses = power(ops, wrong, gamma) * binary_losses(ops, p, t, logits)
    return weighted("binary_focal", ops, losses, reduction, weight, keep)
