"""Losses of numbers: how far predictions are from targets, element by element."""

from __future__ import annotations

from typing import Any

from optshare.losses.arguments import paired, require_positive
from optshare.losses.numerics import xlogy
from optshare.losses.reducing import Reduction, weighted


def mse(
    prediction: Any,
    target: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The squared error, (prediction - target)**2.

    Args:
        prediction: floating numbers of any shape.
        target: of the same shape; it takes the prediction's dtype.
        weight: a factor for each element, broadcast to their shape.
        mask: which elements count, truths or 0 and 1, broadcast to their shape.
        reduction: `"mean"`, the weighted mean of the elements that count; `"sum"`; `"none"`.

    Raises:
        DataError: the shapes differ, for predictions and targets are not broadcast;
            or nothing is left to take the mean of.
        HyperparameterError: an unknown reduction.

    >>> import numpy as np
    >>> mse(np.array([1., 3.]), np.array([1., 1.]))
    np.float64(2.0)
    >>> mse(np.array([1., 3.]), np.array([1., np.nan]), mask=[True, False])
    np.float64(0.0)
    """
    ops, p, t, keep = paired("mse", prediction, target, mask)
    difference = p - t
    return weighted("mse", ops, difference * difference, reduction, weight, keep)


def mae(
    prediction: Any,
    target: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The absolute error, |prediction - target|; its derivative at 0 is 0.

    Arguments and exceptions are those of `mse`.

    >>> import numpy as np
    >>> mae(np.array([1., 3.]), np.array([1., 1.]))
    np.float64(1.0)
    """
    ops, p, t, keep = paired("mae", prediction, target, mask)
    return weighted("mae", ops, ops.abs(p - t), reduction, weight, keep)


def msle(
    prediction: Any,
    target: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The squared logarithmic error, (log(1 + prediction) - log(1 + target))**2.

    Both are above -1. Arguments and exceptions are those of `mse`. This is Keras's and
    scikit-learn's formula; Flux's has log(x + eps).

    >>> import numpy as np
    >>> msle(np.array([0., np.e - 1]), np.array([0., 0.])).round(12)
    np.float64(0.5)
    """
    ops, p, t, keep = paired("msle", prediction, target, mask)
    difference = ops.log1p(p) - ops.log1p(t)
    return weighted("msle", ops, difference * difference, reduction, weight, keep)


def huber(
    prediction: Any,
    target: Any,
    *,
    delta: float = 1.0,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """Quadratic near 0, linear beyond delta (Huber 1964).

    With d = prediction - target, it is d**2 / 2 where |d| <= delta, and
    delta * (|d| - delta / 2) elsewhere. Other arguments and exceptions are those of `mse`.

    Raises:
        HyperparameterError: delta is not positive.

    >>> import numpy as np
    >>> huber(np.array([0.5, 3.]), np.array([0., 0.]), reduction="none")
    array([0.125, 2.5  ])
    """
    require_positive("delta", delta)
    ops, p, t, keep = paired("huber", prediction, target, mask)
    difference = p - t
    near = ops.clip(difference, -delta, delta)
    return weighted("huber", ops, near * (difference - near / 2), reduction, weight, keep)


def poisson(
    prediction: Any,
    target: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The negative log likelihood of counts, up to a constant: prediction - target log(prediction).

    The prediction is the expected count, at least 0; a count of 0 beside a prediction of 0 costs
    nothing. Arguments and exceptions are those of `mse`. It is the formula of Flux and Keras, and
    of PyTorch's `poisson_nll_loss(log_input=False, eps=0)`.

    >>> import numpy as np
    >>> poisson(np.array([1., 2.]), np.array([3., 0.]), reduction="none")
    array([1., 2.])
    """
    ops, p, t, keep = paired("poisson", prediction, target, mask)
    return weighted("poisson", ops, p - xlogy(ops, t, p), reduction, weight, keep)
