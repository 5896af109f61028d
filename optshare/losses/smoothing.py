"""Label smoothing: targets that are not quite sure."""

from __future__ import annotations

from typing import Any

from optshare.errors import LabelError
from optshare.losses.arguments import require_share
from optshare.losses.arrays import array, is_floating


def label_smoothing(target: Any, amount: float, *, axis: int | None = -1) -> Any:
    """(1 - amount) * target + amount / classes (Szegedy et al. 2016), as Flux's.

    Args:
        target: probabilities, or 1 at the class and 0 elsewhere; of floating numbers.
        amount: how much of each is spread evenly over all classes, in [0, 1].
        axis: along which the classes lie; `None` for the probability of the one of two
            classes, which is drawn towards 1/2.

    Raises:
        LabelError: the targets are of integers: make them one-hot, or give labels to
            `crossentropy(..., label_smoothing=amount)`.
        HyperparameterError: the amount is not in [0, 1].

    >>> import numpy as np
    >>> label_smoothing(np.array([[0., 1.], [1., 0.]]), 0.2)
    array([[0.1, 0.9],
           [0.9, 0.1]])
    >>> label_smoothing(np.array([0., 1.]), 0.2, axis=None)
    array([0.1, 0.9])
    """
    require_share("amount", amount)
    target = array(target)
    if not is_floating(target.dtype):
        raise LabelError(
            f"label_smoothing takes floating numbers, one for each class, not {target.dtype}; "
            f"for labels use crossentropy(..., label_smoothing={amount!r})"
        )
    classes = 2 if axis is None else target.shape[axis]
    return (1 - amount) * target + amount / classes
