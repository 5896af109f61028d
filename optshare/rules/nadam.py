"""NAdam."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sqrt, squared
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class NAdam(Decaying):
    """Adam with Nesterov's momentum, whose size follows a schedule, as in PyTorch.

        g = gradient + weight_decay * value
        m, v as in Adam
        mu_t = beta1 * (1 - 0.96**(t * momentum_decay) / 2)
        product = product * mu_t
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu_t) * g / (1 - product)
        value -= lr * m_hat / (sqrt(v / (1 - beta2**t)) + eps)

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        momentum_decay: how fast mu grows from beta1 / 2 to beta1, at least 0.
        constant_momentum: mu is beta1 at every step, as in optax and Flux.
        beta2_in_root: multiply v by beta2 in the root, as in the paper's algorithm 2
            and Flux.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state has PyTorch's names: the arrays `exp_avg` and `exp_avg_sq`, and the
    number `mu_product`, which begins as 1.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.NAdam([w], lr=0.1, betas=(0.5, 0.5), momentum_decay=0.0)
    >>> opt.update([np.array([2.])])
    >>> w, opt.state_for(w).mu_product
    (Parameter(array([0.88666667])), 0.25)
    """

    lr: Number = 2e-3
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-8
    momentum_decay: Number = 4e-3
    constant_momentum: bool = False
    beta2_in_root: bool = False

    def state_names(self) -> tuple[str, ...]:
        """The two moments."""
        return "exp_avg", "exp_avg_sq"

    def scalar_names(self) -> tuple[str, ...]:
        """The product of the momenta so far."""
        return ("mu_product",)

    def initial_values(self) -> dict[str, float]:
        """The empty product."""
        return {"mu_product": 1.0}

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments and product, and the step."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(g)
        product, following = state["mu_product"] * self._mu(t), self._mu(t + 1)
        of_gradient = self.lr * (1 - self._mu(t)) / (1 - product)
        of_moment = self.lr * following / (1 - product * following)
        new = {"exp_avg": m, "exp_avg_sq": v, "mu_product": product}
        v_hat = v * (beta2 / (1 - beta2**t)) if self.beta2_in_root else v / (1 - beta2**t)
        return new, (of_gradient * g + of_moment * m) / (sqrt(v_hat) + self.eps)

    def _mu(self, t: Any) -> Any:
        grown = 1 - 0.5 * 0.96 ** (t * self.momentum_decay)
        return self.betas[0] if self.constant_momentum else self.betas[0] * grown
