"""Adagrad and Adadelta."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import rooted, sqrt, squared
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class Adagrad(Decaying):
    """Division by the root of the sum of all squares of gradients, as in PyTorch.

        g = gradient + weight_decay * value
        s = s + g**2
        value -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    With `eps_in_root`, as in Keras and optax, `sqrt(s) + eps` is `sqrt(s + eps)`.

    Args:
        lr: the learning rate, at least 0.
        lr_decay: how fast the learning rate falls, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.
        initial_accumulator_value: what the sum begins with, at least 0.
        eps: added to the root, at least 0.
        eps_in_root: add eps under the root.

    The state array has PyTorch's name: `sum` is s.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Duchi et al., Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization, 2011, https://jmlr.org/papers/v12/duchi11a.html

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., 1.])
    >>> optshare.Adagrad([w], lr=0.1).update([np.array([2., -0.5])])
    >>> w
    Parameter(array([0.9, 1.1]))
    """

    lr: Number = 1e-2
    lr_decay: Number = 0.0
    initial_accumulator_value: Number = 0.0
    eps: Number = 1e-10
    eps_in_root: bool = False

    def state_names(self) -> tuple[str, ...]:
        """The sum of squares."""
        return ("sum",)

    def initial_values(self) -> dict[str, float]:
        """The sum begins with `initial_accumulator_value`."""
        return {"sum": self.initial_accumulator_value}

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new sum, and the step."""
        s = state["sum"] + squared(g)
        rate = self.lr / (1 + (t - 1) * self.lr_decay)
        return {"sum": s}, rate * g / rooted(s, self.eps, inside=self.eps_in_root)


class Adadelta(Decaying):
    """Steps as long as earlier ones, in the units of the value, as in PyTorch.

        g = gradient + weight_decay * value
        v = rho * v + (1 - rho) * g**2
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d**2
        value -= lr * d

    Args:
        lr: multiplies the step, at least 0.
        rho: how much of each average is kept, in [0, 1).
        eps: added to both averages, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays have PyTorch's names: `square_avg` is v, `acc_delta` is u.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012,
    https://arxiv.org/abs/1212.5701

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> optshare.Adadelta([w], rho=0.75, eps=3.0).update([np.array([2.])])
    >>> w
    Parameter(array([-0.73205081]))
    """

    lr: Number = 1.0
    rho: Number = 0.9
    eps: Number = 1e-6

    def state_names(self) -> tuple[str, ...]:
        """The average squares of gradients and of steps."""
        return "square_avg", "acc_delta"

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new averages, and the step."""
        v = self._average(state["square_avg"], g)
        d = sqrt(state["acc_delta"] + self.eps) / sqrt(v + self.eps) * g
        return {"square_avg": v, "acc_delta": self._average(state["acc_delta"], d)}, self.lr * d

    def _average(self, old: Any, x: Any) -> Any:
        return self.rho * old + (1 - self.rho) * squared(x)
