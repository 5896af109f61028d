"""RAdam."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from optshare.kernels.expression import sqrt, squared, where
from optshare.rules.base import Arrays, Number, Rule
from optshare.rules.decay import Decaying


class RAdam(Decaying):
    """Adam that leaves the second moment out until its variance is small, as in PyTorch.

        g = gradient + weight_decay * value
        m, v as in Adam; m_hat = m / (1 - beta1**t)
        rho = 2 / (1 - beta2) - 1                    (the limit)
        rho_t = rho - 2 * t * beta2**t / (1 - beta2**t)
        r = sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))
        value -= lr * m_hat * r * sqrt(1 - beta2**t) / (sqrt(v) + eps)    (rho_t > threshold)
        value -= lr * m_hat                                               (else)

    Without `eps_hat`, as in optax and Flux, the second moment is corrected before eps
    is added: `sqrt(v / (1 - beta2**t)) + eps`.

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        eps_hat: add eps to the root that is not corrected.
        threshold: the length of the average up to which the second moment is left out,
            at least 4.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays have PyTorch's names: `exp_avg` is m, `exp_avg_sq` is v.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

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
    eps_hat: bool = True
    threshold: Number = 5.0

    _LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        **Rule._LIMITS,
        "threshold": (4.0, math.inf),
    }

    def state_names(self) -> tuple[str, ...]:
        """The two moments."""
        return "exp_avg", "exp_avg_sq"

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(g)
        new = {"exp_avg": m, "exp_avg_sq": v}
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * t * beta2**t / (1 - beta2**t)
        rectified = length > self.threshold
        plain = self.lr / (1 - beta1**t) * m
        scale, root = _rectification(length, limit, rectified), sqrt(1 - beta2**t)
        scale, v = (scale * root, v) if self.eps_hat else (scale, v / (1 - beta2**t))
        step = where(rectified, plain * (scale / (sqrt(v) + self.eps)), plain)
        return new, step


def _rectification(length: Any, limit: Any, rectified: Any) -> Any:
    """What makes the variance that of the limit; of use where it is rectified."""
    here, there = where(rectified, length, 5.0), where(rectified, limit, 5.0)
    return sqrt((here - 4) * (here - 2) * there / ((there - 4) * (there - 2) * here))
