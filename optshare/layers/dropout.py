"""Dropout: random zeros while an engine records."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import HyperparameterError
from optshare.initializers import generator
from optshare.layers.base import Layer
from optshare.layers.modes import Modal
from optshare.parameter import Buffer


class Dropout(Modal, Layer):
    """Zeroes elements with a probability, and scales the others by 1 / (1 - p).

    It acts only while an engine records, or in `trainmode`; elsewhere, and in `testmode`, it is
    the identity. The mask comes from (seed, step): a new one at each call in which it acts, and
    the same on every engine.

    Args:
        p: the probability of a zero, in [0, 1).
        seed: of the masks; drawn from `optshare.seed`'s generator by default.

    Shapes: any to the same. FLOPs: 2 for each element and 1 where it acts, else 0.

    Raises:
        HyperparameterError: p out of range.

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks
    from Overfitting, 2014.

    >>> Dropout(0.5)(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, seed: int | None = None) -> None:
        if not hasattr(p, "__float__") or not 0 <= p < 1:
            raise HyperparameterError(f"Dropout: p must be in [0, 1), not {p!r}")
        self.p = p
        self.seed = int(generator().integers(2**63)) if seed is None else seed
        self.calls = Buffer(np.int32(0))

    def __call__(self, x: Any) -> Any:
        """The input, or while recording a thinned one of the same expectation."""
        if not self.acts or not self.p:
            return x
        count = self.calls.value
        self.calls.value = count + 1
        keep = 1 - self.p
        mask = namespace_of(x).random.bernoulli((self.seed, count), keep, x)
        return x * (mask / keep)

    def given(self) -> tuple[Any, ...]:
        """The probability."""
        return (self.p,)
