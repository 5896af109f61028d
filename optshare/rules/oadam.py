"""OAdam."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sqrt, squared
from optshare.rules.base import Arrays, Number, Rule


class OAdam(Rule):
    """Optimistic Adam, for games such as the training of GANs.

        m, v as in Adam
        r = (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)
        value -= lr * (2 * r - r of the step before)

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.

    The state arrays: `exp_avg` is m, `exp_avg_sq` is v, `previous` is r, which
    begins as 0.

    Raises:
        HyperparameterError: a value out of range.

    Source: Daskalakis et al., Training GANs with Optimism, 2018, algorithm 1,
    https://arxiv.org/abs/1711.00141

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.OAdam([w], lr=0.1)
    >>> opt.update([np.array([2.])]); opt.update([np.array([2.])])
    >>> w
    Parameter(array([0.7]))
    """

    lr: Number = 1e-3
    betas: tuple[Number, Number] = (0.5, 0.9)
    eps: Number = 1e-8

    def state_names(self) -> tuple[str, ...]:
        """The two moments, and Adam's direction at the step before."""
        return "exp_avg", "exp_avg_sq", "previous"

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments and direction, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * gradient
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(gradient)
        r = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + self.eps)
        step = self.lr * (2 * r - state["previous"])
        return {"exp_avg": m, "exp_avg_sq": v, "previous": r}, step
