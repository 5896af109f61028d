"""RAdam."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import maximum, sqrt, squared, where
from optshare.rules.base import Arrays, Number, Rule, decayed, shrunk

SHORTEST = 5.0
"""The length of the average up to which the second moment is not yet used."""


class RAdam(Rule):
    """Adam that leaves the second moment out until its variance is small, as in PyTorch.

        g = gradient + weight_decay * value
        m, v as in Adam; m_hat = m / (1 - beta1**t)
        rho = 2 / (1 - beta2) - 1                    (the limit)
        rho_t = rho - 2 * t * beta2**t / (1 - beta2**t)
        r = sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))
        value -= lr * m_hat * r * sqrt(1 - beta2**t) / (sqrt(v) + eps)    (rho_t > 5)
        value -= lr * m_hat                                               (else)

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: subtract `lr * weight_decay * value` instead of
            adding `weight_decay * value` to the gradient.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays have PyTorch's names: `exp_avg` is m, `exp_avg_sq` is v.

    Raises:
        HyperparameterError: a value out of range.

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond,
    2020, https://arxiv.org/abs/1908.03265

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> optshare.RAdam([w], lr=0.1).update([np.array([2.])])
    >>> w
    Parameter(array([0.8]))
    """

    lr: Number = 1e-3
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-8
    weight_decay: Number = 0.0
    decoupled_weight_decay: bool = False
    complex_as_reals: bool = False

    def state_names(self) -> tuple[str, ...]:
        """The two moments."""
        return "exp_avg", "exp_avg_sq"

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        beta1, beta2 = self.betas
        decoupled = self.weight_decay if self.decoupled_weight_decay else 0.0
        g = gradient if decoupled else decayed(gradient, value, self.weight_decay)
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(g)
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * t * beta2**t / (1 - beta2**t)
        scale = _rectification(length, limit) * sqrt(1 - beta2**t)
        plain = self.lr / (1 - beta1**t) * m
        step = where(length > SHORTEST, plain * (scale / (sqrt(v) + self.eps)), plain)
        return {"exp_avg": m, "exp_avg_sq": v}, shrunk(step, value, self.lr, decoupled)


def _rectification(length: Any, limit: Any) -> Any:
    """What makes the variance that of the limit; of use where the length is above `SHORTEST`."""
    here, there = maximum(length, SHORTEST), maximum(limit, SHORTEST)
    return sqrt((here - 4) * (here - 2) * there / ((there - 4) * (there - 2) * here))
