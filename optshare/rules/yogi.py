"""Yogi."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sign, sqrt, squared
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class Yogi(Decaying):
    """Adam whose second moment moves by steps of a bounded size.

        g = gradient + weight_decay * value
        m = beta1 * m + (1 - beta1) * g
        v = v - (1 - beta2) * sign(v - g**2) * g**2
        value -= lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    Args:
        lr: the learning rate, at least 0.
        betas: how fast each moment moves, in [0, 1).
        eps: added to the root, at least 0.
        initial_accumulator_value: what both moments begin with, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    Bias correction and beginnings are those of optax and TensorFlow Addons. The
    state arrays: `exp_avg` is m, `exp_avg_sq` is v.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Zaheer et al., Adaptive Methods for Nonconvex Optimization, 2018,
    https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.Yogi([w], lr=0.1, eps=0.0, initial_accumulator_value=0.0)
    >>> opt.update([np.array([2.])])
    >>> w
    Parameter(array([0.9]))
    """

    lr: Number = 1e-2
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-3
    initial_accumulator_value: Number = 1e-6

    def state_names(self) -> tuple[str, ...]:
        """The two moments."""
        return "exp_avg", "exp_avg_sq"

    def initial_values(self) -> dict[str, float]:
        """Both moments begin with `initial_accumulator_value`."""
        initial: float = self.initial_accumulator_value
        return dict.fromkeys(self.state_names(), initial)

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        square, v = squared(g), state["exp_avg_sq"]
        v = v - (1 - beta2) * (sign(v - square) * square)
        step = self.lr / (1 - beta1**t) * m / (sqrt(v / (1 - beta2**t)) + self.eps)
        return {"exp_avg": m, "exp_avg_sq": v}, step
