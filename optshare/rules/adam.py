"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels import expression
from optshare.rules.array import correction
from optshare.rules.base import Arrays, Number, Rule, decayed, shrunk


class Adam(Rule):
    """Adaptive moments, with epsilon outside the root as in the paper, and L2 regularisation.

        g = gradient + weight_decay * value
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        value -= lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    With `amsgrad` the root is taken of the largest v so far, corrected afterwards.
    With `eps_hat` the paper's "epsilon hat" is added to the root that is not corrected:

        value -= lr * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        weight_decay: L2 regularisation, at least 0; for decoupled decay take `AdamW`.
        amsgrad: divide by the root of the largest second moment so far.
        amsgrad_corrected: of the largest corrected one, as optax does; needs amsgrad.
        eps_hat: correct the step instead of the moments, as Keras does.
        eps_root: added under the root, at least 0, as optax does.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays have PyTorch's names: `exp_avg` is m, `exp_avg_sq` is v,
    `max_exp_avg_sq` the largest v.

    Raises:
        HyperparameterError: a value out of range.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015,
    https://arxiv.org/abs/1412.6980; AMSGrad: Reddi et al., On the Convergence of
    Adam and Beyond, 2018, https://openreview.net/forum?id=ryQu7f-RZ

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., 1.])
    >>> optshare.Adam([w], lr=0.1).update([np.array([2., -0.5])])
    >>> w
    Parameter(array([0.9, 1.1]))
    """

    lr: Number = 1e-3
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-8
    weight_decay: Number = 0.0
    amsgrad: bool = False
    amsgrad_corrected: bool = False
    eps_hat: bool = False
    eps_root: Number = 0.0
    complex_as_reals: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.amsgrad_corrected and (self.eps_hat or not self.amsgrad):
            raise HyperparameterError(
                f"{type(self).__name__}: amsgrad_corrected=True needs amsgrad=True, and no eps_hat"
            )

    def state_names(self) -> tuple[str, ...]:
        """The two moments, and for AMSGrad the largest second one."""
        moments = "exp_avg", "exp_avg_sq"
        return (*moments, "max_exp_avg_sq") if self.amsgrad else moments

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        return self.adaptive_step(decayed(gradient, value, self.weight_decay), state, t)

    def adaptive_step(
        self, g: Any, state: Arrays, t: Any, ops: Any = expression
    ) -> tuple[Arrays, Any]:
        """The new moments, and the step without weight decay, in the functions of a namespace."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * expression.squared(g)
        new, part = {"exp_avg": m, "exp_avg_sq": v}, correction(ops, beta2, t)
        v = v / part if self.amsgrad_corrected else v
        if self.amsgrad:
            v = new["max_exp_avg_sq"] = ops.maximum(state["max_exp_avg_sq"], v)
        v = v if self.amsgrad_corrected or self.eps_hat else v / part
        v = v + self.eps_root if self.eps_root else v
        rate = self.lr / correction(ops, beta1, t)
        rate = rate * ops.sqrt(part) if self.eps_hat else rate
        return new, rate * m / (ops.sqrt(v) + self.eps)


class AdamW(Adam):
    """Adam with decoupled weight decay, multiplied by lr, as in PyTorch.

        value -= lr * weight_decay * value
        value -= Adam's step, without L2 regularisation

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        weight_decay: decoupled decay, at least 0.
        amsgrad: divide by the root of the largest second moment so far.
        amsgrad_corrected: of the largest corrected one, as optax does; needs amsgrad.
        eps_hat: correct the step instead of the moments, as Keras does.
        eps_root: added under the root, at least 0, as optax does.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    Raises:
        HyperparameterError: a value out of range.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019,
    https://arxiv.org/abs/1711.05101

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> optshare.AdamW([w], lr=0.1, weight_decay=0.5).update([np.array([0.])])
    >>> w
    Parameter(array([0.95]))
    """

    weight_decay: Number = 1e-2

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        new, step = self.adaptive_step(gradient, state, t)
        return new, shrunk(step, value, self.lr, self.weight_decay)
