"""Losses of two classes, element by element: 0 and 1, or -1 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.errors import DataError
from optshare.losses.arguments import RANGE, paired, require_within
from optshare.losses.arrays import numbers_of
from optshare.losses.numerics import xlog1py, xlogy
from optshare.losses.reducing import Reduction, weighted
from optshare.namespace.protocol import Namespace


def binarycrossentropy(
    scores: Any,
    target: Any,
    *,
    logits: bool = True,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The cross-entropy of two classes, -t log(p) - (1 - t) log(1 - p), with p = sigmoid(scores).

    Args:
        scores: of any shape; they are not yet probabilities.
        target: the probability of the class 1, of the same shape, in [0, 1].
        logits: `False` if the scores are probabilities already, as in Flux's, Keras's and
            PyTorch's functions of this name. One of 0 or 1 that contradicts the target costs
            infinity, for nothing is cut off; scores are better.
        weight: a factor for each element, broadcast to their shape.
        mask: which elements count, truths or 0 and 1, broadcast to their shape.
        reduction: `"mean"`, the weighted mean of the elements that count; `"sum"`; `"none"`.

    Raises:
        DataError: the shapes differ; a probability is not in [0, 1]; nothing is left to take
            the mean of.
        HyperparameterError: an unknown reduction.

    >>> binarycrossentropy(np.array([0., 0.]), np.array([0, 1]))
    np.float64(0.6931471805599453)
    >>> binarycrossentropy(np.array([0.5, 0.25]), np.array([0, 1]), logits=False, reduction="none")
    array([0.69314718, 1.38629436])
    """
    ops, p, t, keep = paired("binarycrossentropy", scores, target, mask)
    require_probabilities("binarycrossentropy", ops, t, p, logits)
    losses = binary_losses(ops, p, t, logits)
    return weighted("binarycrossentropy", ops, losses, reduction, weight, keep)


def binary_losses(ops: Namespace, p: Any, t: Any, logits: bool) -> Any:
    """-t log(p) - (1 - t) log(1 - p), from scores or from p."""
    if logits:
        return t * ops.nn.softplus(-p) + (1 - t) * ops.nn.softplus(p)
    return -xlogy(ops, t, p) - xlog1py(ops, 1 - t, -p)


def require_probabilities(name: str, ops: Namespace, target: Any, p: Any, logits: bool) -> None:
    """Raise `DataError` for a target that is no probability, and for such a p, if it is one."""
    require_within(name, "target", ops, target, "it is the probability of the class 1")
    if not logits:
        require_within(name, "prediction", ops, p, RANGE)


def hinge(
    scores: Any,
    target: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """max(0, 1 - target * score); the derivative at the kink is 0 (Cortes and Vapnik 1995).

    A target is -1 or 1; Keras takes 0 and 1 too, here they raise `DataError`. Arguments and
    other exceptions are those of `mse`.

    >>> hinge(np.array([0.5, 2., 2.]), np.array([1, 1, -1]), reduction="none")
    array([0.5, 0. , 3. ])
    """
    ops, losses, keep = _margins("hinge", scores, target, mask)
    return weighted("hinge", ops, losses, reduction, weight, keep)


def squared_hinge(
    scores: Any,
    target: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """max(0, 1 - target * score)**2, with the arguments and exceptions of `hinge`.

    >>> squared_hinge(np.array([0.5, 2., 2.]), np.array([1, 1, -1]), reduction="none")
    array([0.25, 0.  , 9.  ])
    """
    ops, losses, keep = _margins("squared_hinge", scores, target, mask)
    return weighted("squared_hinge", ops, losses * losses, reduction, weight, keep)


def _margins(name: str, scores: Any, target: Any, mask: Any) -> tuple[Namespace, Any, Any]:
    """max(0, 1 - target * score), and which count."""
    ops, p, t, keep = paired(name, scores, target, mask)
    numbers = numbers_of(ops, t)
    if numbers is not None and not np.isin(numbers, (-1, 1)).all():
        raise DataError(f"{name}: a target is neither -1 nor 1; of 0 and 1 make 2 * target - 1")
    return ops, ops.nn.relu(1 - t * p), keep
