"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels import expression
from optshare.rules.array import correction
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class Adam(Decaying):
    """Adaptive moments, with epsilon outside the root as in the paper, and L2 regularisation.

        g = gradient + weight_decay * value
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        value -= lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    With `amsgrad` the root is taken of the largest v so far, corrected afterwards; that is the
    rule `AMSGrad`. With `eps_hat` the paper's "epsilon hat" is added to the root that is not
    corrected:

        value -= lr * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        amsgrad: divide by the root of the largest second moment so far.
        amsgrad_corrected: of the largest corrected one, as optax does; needs amsgrad.
        eps_hat: correct the step instead of the moments, as Keras does.
        eps_root: added under the root, at least 0, as optax does.
        bias_correction: divide by `1 - beta**t`; Flux's AMSGrad does not.
        initial_accumulator_value: what the moments begin with, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    For decoupled decay by default there is `AdamW`. The state arrays have PyTorch's
    names: `exp_avg` is m, `exp_avg_sq` is v, `max_exp_avg_sq` the largest v.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

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
    amsgrad: bool = False
    amsgrad_corrected: bool = False
    eps_hat: bool = False
    eps_root: Number = 0.0
    bias_correction: bool = True
    initial_accumulator_value: Number = 0.0

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

    def initial_values(self) -> dict[str, float]:
        """All moments begin with `initial_accumulator_value`."""
        initial: float = self.initial_accumulator_value
        return dict.fromkeys(self.state_names(), initial)

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        return self.adaptive_step(g, state, t)

    def adaptive_step(
        self, g: Any, state: Arrays, t: Any, ops: Any = expression
    ) -> tuple[Arrays, Any]:
        """The new moments, and the step without weight decay, in the functions of a namespace."""
        beta1, beta2 = self.betas
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * expression.squared(g)
        new, first, second = {"exp_avg": m, "exp_avg_sq": v}, 1.0, 1.0
        if self.bias_correction:
            first, second = correction(ops, beta1, t), correction(ops, beta2, t)
        v = v / second if self.amsgrad_corrected else v
        if self.amsgrad:
            v = new["max_exp_avg_sq"] = ops.maximum(state["max_exp_avg_sq"], v)
        corrected = self.amsgrad_corrected or self.eps_hat or not self.bias_correction
        v = v if corrected else v / second
        v = v + self.eps_root if self.eps_root else v
        rate = self.lr / first
        rate = rate * ops.sqrt(second) if self.eps_hat else rate
        return new, rate * m / (ops.sqrt(v) + self.eps)


class AdamW(Adam):
    """Adam with decoupled weight decay, multiplied by lr, as in PyTorch.

        value -= lr * weight_decay * value
        value -= Adam's step, without L2 regularisation

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        amsgrad: divide by the root of the largest second moment so far.
        amsgrad_corrected: of the largest corrected one, as optax does; needs amsgrad.
        eps_hat: correct the step instead of the moments, as Keras does.
        eps_root: added under the root, at least 0, as optax does.
        bias_correction: divide by `1 - beta**t`; Flux's AMSGrad does not.
        initial_accumulator_value: what the moments begin with, at least 0.
        weight_decay: decoupled decay, at least 0.
        decoupled_weight_decay: shrink the value by lr * weight_decay.
        decay_without_lr: by weight_decay, as chainer does.
        decay_after_step: shrink the value after the step, as thinc does.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019,
    https://arxiv.org/abs/1711.05101

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> optshare.AdamW([w], lr=0.1, weight_decay=0.5).update([np.array([0.])])
    >>> w
    Parameter(array([0.95]))
    """

    weight_decay: Number = 1e-2
    decoupled_weight_decay: bool = True
