"""Losses of overlap, for segmentation: one for each sample, of all its elements together."""

from __future__ import annotations

from typing import Any

from optshare.errors import DataError
from optshare.losses.arguments import paired, require_not_negative, require_within
from optshare.losses.numerics import quotient
from optshare.losses.reducing import Reduction, counted, reduced
from optshare.namespace.protocol import Namespace


def dice(
    prediction: Any,
    target: Any,
    *,
    smooth: float = 1.0,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """1 - (2 sum(p t) + smooth) / (sum(p**2) + sum(t**2) + smooth) (Milletari et al. 2016).

    The sums are over all axes but the first: there is one loss for each sample. Of
    `prediction[None]` and `target[None]` there is one for the whole batch, Flux's
    `dice_coeff_loss`. Keras's `dice` does not square: it is `tversky` with alpha = beta = 0.5.

    Args:
        prediction: p, probabilities of shape (batch, ...).
        target: t, of the same shape, in [0, 1].
        smooth: keeps the quotient defined where both are empty; without it such a sample costs 0.
        weight: a factor for each element in the sums, broadcast to their shape.
        mask: which elements are in the sums, truths or 0 and 1, broadcast to their shape.
        reduction: of the samples: `"mean"`, in which each counts the same, `"sum"`, `"none"`.

    Raises:
        DataError: the shapes differ, a number is not in [0, 1], or there are not two axes.
        HyperparameterError: smooth is negative.

    >>> import numpy as np
    >>> dice(np.array([[1., 0.], [1., 1.]]), np.array([[1, 0], [0, 0]]), reduction="none")
    array([0.        , 0.66666667])
    """
    require_not_negative("smooth", smooth)
    ops, p, t, counts = _overlapping("dice", prediction, target, weight, mask)
    both, each = _summed(ops, counts * (p * t)), _summed(ops, counts * (p * p + t * t))
    losses = 1 - quotient(ops, 2 * both + smooth, each + smooth)
    return reduced("dice", ops, losses, reduction)


def tversky(
    prediction: Any,
    target: Any,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth) (Salehi et al. 2017).

    TP = sum(p t), FP = sum(p (1 - t)), FN = sum((1 - p) t), over all axes but the first. Flux's
    `tversky_loss` has these defaults (alpha is 1 - beta there), Keras's 0.5 and 0.5. Other
    arguments and exceptions are those of `dice`.

    Raises:
        HyperparameterError: alpha, beta or smooth is negative.

    >>> import numpy as np
    >>> tversky(np.array([[1., 0.], [0., 1.]]), np.array([[0, 0], [1, 1]]), reduction="none")
    array([0.23076923, 0.25925926])
    """
    for name, value in {"alpha": alpha, "beta": beta, "smooth": smooth}.items():
        require_not_negative(name, value)
    ops, p, t, counts = _overlapping("tversky", prediction, target, weight, mask)
    hit, extra, missed = (_summed(ops, counts * each) for each in (p * t, p * (1 - t), (1 - p) * t))
    found = quotient(ops, hit + smooth, hit + alpha * extra + beta * missed + smooth)
    return reduced("tversky", ops, 1 - found, reduction)


def _overlapping(
    name: str, prediction: Any, target: Any, weight: Any, mask: Any
) -> tuple[Namespace, Any, Any, Any]:
    """The namespace, probabilities, targets, and how much each element counts in the sums."""
    ops, p, t, keep = paired(name, prediction, target, mask)
    if len(p.shape) < 2:
        raise DataError(
            f"{name} of a prediction of shape {tuple(p.shape)}; it must be (batch, ...), "
            f"so write prediction[None] and target[None] for one sample"
        )
    require_within(name, "prediction", ops, p, "give probabilities, such as sigmoid(scores)")
    require_within(name, "target", ops, t, "it says how much of each element belongs to the class")
    return ops, p, t, counted(name, ops, p, weight, keep)


def _summed(ops: Namespace, x: Any) -> Any:
    """The sums over all axes but the first."""
    return ops.sum(x, axis=tuple(range(1, x.ndim)))
