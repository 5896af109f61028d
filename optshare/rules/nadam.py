"""NAdam."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import sqrt, squared
from optshare.rules.base import Arrays, Number, Rule, decayed, shrunk


class NAdam(Rule):
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
        weight_decay: L2 regularisation, at least 0.
        momentum_decay: how fast mu grows from beta1 / 2 to beta1, at least 0.
        decoupled_weight_decay: subtract `lr * weight_decay * value` instead of
            adding `weight_decay * value` to the gradient.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state has PyTorch's names: the arrays `exp_avg` and `exp_avg_sq`, and the
    number `mu_product`, which begins as 1.

    Raises:
        HyperparameterError: a value out of range.

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
    weight_decay: Number = 0.0
    momentum_decay: Number = 4e-3
    decoupled_weight_decay: bool = False
    complex_as_reals: bool = False

    def state_names(self) -> tuple[str, ...]:
        """The two moments."""
        return "exp_avg", "exp_avg_sq"

    def scalar_names(self) -> tuple[str, ...]:
        """The product of the momenta so far."""
        return ("mu_product",)

    def initial_values(self) -> dict[str, float]:
        """The empty product."""
        return {"mu_product": 1.0}

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments and product, and the step."""
        beta1, beta2 = self.betas
        decoupled = self.weight_decay if self.decoupled_weight_decay else 0.0
        g = gradient if decoupled else decayed(gradient, value, self.weight_decay)
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(g)
        product, following = state["mu_product"] * self._mu(t), self._mu(t + 1)
        of_gradient = self.lr * (1 - self._mu(t)) / (1 - product)
        of_moment = self.lr * following / (1 - product * following)
        step = (of_gradient * g + of_moment * m) / (sqrt(v / (1 - beta2**t)) + self.eps)
        new = {"exp_avg": m, "exp_avg_sq": v, "mu_product": product}
        return new, shrunk(step, value, self.lr, decoupled)

    def _mu(self, t: Any) -> Any:
        return self.betas[0] * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))
