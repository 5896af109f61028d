"""Losses of pairs: what is alike is pulled together, what is not pushed apart."""

from __future__ import annotations

from typing import Any

from optshare.errors import DataError
from optshare.losses.arguments import paired, require_positive, require_within
from optshare.losses.numerics import root
from optshare.losses.reducing import Reduction, weighted


def contrastive(
    distance: Any,
    target: Any,
    *,
    margin: float = 1.0,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """(1 - t) d**2 + t max(0, margin - d)**2 (Hadsell, Chopra and LeCun 2006).

    It is Flux's `siamese_contrastive_loss`; the paper has half of it. d is the distance of each
    pair, such as `pairwise_distance` gives; t is 0 for a pair that is alike, and 1 for one that
    is not; the margin is how far apart is far enough. Other arguments are those of `mse`.

    Raises:
        DataError: the shapes differ, or a target is not in [0, 1].
        HyperparameterError: the margin is not positive.

    >>> import numpy as np
    >>> contrastive(np.array([0.5, 0.5, 2.]), np.array([0, 1, 1]), reduction="none")
    array([0.25, 0.25, 0.  ])
    """
    require_positive("margin", margin)
    ops, d, t, keep = paired("contrastive", distance, target, mask)
    require_within("contrastive", "target", ops, t, "0 is a pair that is alike, 1 one that is not")
    short = ops.nn.relu(margin - d)
    losses = (1 - t) * (d * d) + t * (short * short)
    return weighted("contrastive", ops, losses, reduction, weight, keep)


def pairwise_distance(x: Any, y: Any) -> Any:
    """The Euclidean distance of vectors along the last axis; where it is 0, so is its gradient.

    Both are of one shape, (..., features), and the distances of shape (...). PyTorch's function
    of this name adds 1e-6 to each difference.

    Raises:
        DataError: the shapes differ, or there is no axis.

    >>> import numpy as np
    >>> pairwise_distance(np.array([[3., 4.], [0., 0.]]), np.zeros((2, 2)))
    array([5., 0.])
    """
    ops, x, y, _ = paired("pairwise_distance", x, y)
    if not x.shape:
        raise DataError("pairwise_distance of arrays of shape (); they must be (..., features)")
    difference = x - y
    return root(ops, ops.sum(difference * difference, axis=-1))
