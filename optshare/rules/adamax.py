"""AdaMax."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import maximum
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class AdaMax(Decaying):
    """Adam with the maximum norm in the place of the second moment, as in PyTorch.

        g = gradient + weight_decay * value
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        value -= lr / (1 - beta1**t) * m / u

    Without `eps_in_max`, as in Keras and Flux, eps is added to u in the division instead.

    Args:
        lr: the learning rate, at least 0.
        betas: how much of the moment and of the norm is kept, in [0, 1).
        eps: added to the size of the gradient, at least 0; with 0 a gradient that has
            always been 0 is divided by 0.
        eps_in_max: add eps to the size of the gradient, and not to u.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays have PyTorch's names: `exp_avg` is m, `exp_inf` is u.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015,
    section 7.1, https://arxiv.org/abs/1412.6980

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., 1.])
    >>> optshare.AdaMax([w], lr=0.1).update([np.array([2., -0.5])])
    >>> w
    Parameter(array([0.9, 1.1]))
    """

    lr: Number = 2e-3
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-8
    eps_in_max: bool = True

    def state_names(self) -> tuple[str, ...]:
        """The first moment and the norm."""
        return "exp_avg", "exp_inf"

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moment and norm, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        size = abs(g) + self.eps if self.eps_in_max else abs(g)
        u = maximum(beta2 * state["exp_inf"], size)
        divisor = u if self.eps_in_max else u + self.eps
        return {"exp_avg": m, "exp_inf": u}, self.lr / (1 - beta1**t) * m / divisor
