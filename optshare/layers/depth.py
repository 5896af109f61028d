"""depth: how many layers stand one after the other."""

from __future__ import annotations

from typing import Any

from optshare.layers.chain import Chain
from optshare.layers.combining import Maxout, Parallel, SkipConnection


def depth(model: Any) -> int:
    """The number of layers that an input passes through, one after the other.

    A Chain counts the sum of its members, Parallel and Maxout their longest branch, a
    SkipConnection what it goes around, everything else 1.

    >>> from optshare import Dense, relu
    >>> depth(Chain(Dense(3), relu, SkipConnection(Chain(Dense(3), Dense(3)))))
    4
    """
    if isinstance(model, Chain):
        return sum(map(depth, model))
    if isinstance(model, SkipConnection):
        return depth(model.layers)
    if isinstance(model, Parallel | Maxout):
        return max(map(depth, model))
    return 1
