"""AdaBelief."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sqrt, squared
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class AdaBelief(Decaying):
    """Adam that divides by how far gradients are from their average.

        g = gradient + weight_decay * value
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * (g - m)**2 + eps_root
        value -= lr * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + eps)

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        eps_root: added to the second moment at each step, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The paper has one epsilon in both places. The state arrays: `exp_avg` is m,
    `exp_avg_var` is s.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Zhuang et al., AdaBelief Optimizer: Adapting Stepsizes by the Belief
    in Observed Gradients, 2020, https://arxiv.org/abs/2010.07468

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> optshare.AdaBelief([w], lr=0.1, betas=(0.5, 0.5)).update([np.array([2.])])
    >>> w
    Parameter(array([0.8]))
    """

    lr: Number = 1e-3
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-16
    eps_root: Number = 1e-16

    def state_names(self) -> tuple[str, ...]:
        """The first moment, and the variance about it."""
        return "exp_avg", "exp_avg_var"

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        apart = g - m
        s = beta2 * state["exp_avg_var"] + (1 - beta2) * squared(apart) + self.eps_root
        step = self.lr / (1 - beta1**t) * m / (sqrt(s / (1 - beta2**t)) + self.eps)
        return {"exp_avg": m, "exp_avg_var": s}, step
