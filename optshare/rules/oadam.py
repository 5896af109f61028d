"""OAdam."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sqrt, squared
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class OAdam(Decaying):
    """Optimistic Adam, for games such as the training of GANs.

        g = gradient + weight_decay * value
        m, v as in Adam
        r = (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)
        value -= lr * (2 * r - r of the step before)

    With `lr_in_buffer`, as in Flux, what is kept is lr * r; they part when lr changes.

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        lr_in_buffer: keep the step, instead of the direction.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays: `exp_avg` is m, `exp_avg_sq` is v, `previous` is r, which
    begins as 0.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

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
    lr_in_buffer: bool = False

    def state_names(self) -> tuple[str, ...]:
        """The two moments, and Adam's direction at the step before."""
        return "exp_avg", "exp_avg_sq", "previous"

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments and direction, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(g)
        r = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + self.eps)
        r = self.lr * r if self.lr_in_buffer else r
        step = 2 * r - state["previous"]
        new = {"exp_avg": m, "exp_avg_sq": v, "previous": r}
        return new, step if self.lr_in_buffer else self.lr * step
