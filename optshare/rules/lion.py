"""Lion."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sign
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class Lion(Decaying):
    """The sign of a momentum, so that every element moves by lr.

        value -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * value)
        m = beta2 * m + (1 - beta2) * g

    Args:
        lr: the learning rate, at least 0; three to ten times smaller than Adam's.
        betas: how much of m is kept in the step and from step to step, in [0, 1).
        weight_decay: decoupled decay, at least 0.
        decoupled_weight_decay: shrink the value by lr * weight_decay; False is L2
            regularisation.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state array: `exp_avg` is m.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023,
    https://arxiv.org/abs/2302.06675

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., 1.])
    >>> optshare.Lion([w], lr=0.1).update([np.array([2., -0.5])])
    >>> w
    Parameter(array([0.9, 1.1]))
    """

    lr: Number = 1e-4
    betas: tuple[Number, Number] = (0.9, 0.99)
    decoupled_weight_decay: bool = True

    def state_names(self) -> tuple[str, ...]:
        """The momentum."""
        return ("exp_avg",)

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new momentum, and the step."""
        (beta1, beta2), m = self.betas, state["exp_avg"]
        step = self.lr * sign(beta1 * m + (1 - beta1) * g)
        return {"exp_avg": beta2 * m + (1 - beta2) * g}, step
