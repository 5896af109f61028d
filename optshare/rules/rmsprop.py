"""RMSProp."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import maximum, rooted, squared
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class RMSProp(Decaying):
    """Division by the root of the average square of gradients, as in PyTorch.

        g = gradient + weight_decay * value
        v = alpha * v + (1 - alpha) * g**2
        d = g / (sqrt(v) + eps)
        d = g / (sqrt(v - a**2) + eps), a = alpha * a + (1 - alpha) * g    (centered)
        value -= lr * d                                                    (plain)
        value -= lr * b, b = momentum * b + d                              (momentum)
        value -= b, b = momentum * b + lr * d                              (lr_in_buffer)

    With `eps_in_root`, as in Keras and optax, `sqrt(v) + eps` is `sqrt(v + eps)`.

    Args:
        lr: the learning rate, at least 0.
        alpha: how much of the averages is kept, in [0, 1).
        eps: added to the root, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.
        momentum: in [0, 1); 0 keeps no buffer.
        centered: divide by the standard deviation instead; a variance that rounding
            has made negative counts as 0.
        eps_in_root: add eps under the root.
        lr_in_buffer: keep steps in the buffer, as Keras and optax do.
        initial_accumulator_value: what the average square begins with, at least 0.

    The state arrays have PyTorch's names: `square_avg` is v, `grad_avg` is a,
    `momentum_buffer` is b.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5,
    2012; centered: Graves 2013, https://arxiv.org/abs/1308.0850

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., 1.])
    >>> optshare.RMSProp([w], lr=0.1, alpha=0.75, eps=0.0).update([np.array([2., -0.5])])
    >>> w
    Parameter(array([0.8, 1.2]))
    """

    lr: Number = 1e-2
    alpha: Number = 0.99
    eps: Number = 1e-8
    momentum: Number = 0.0
    centered: bool = False
    eps_in_root: bool = False
    lr_in_buffer: bool = False
    initial_accumulator_value: Number = 0.0

    def state_names(self) -> tuple[str, ...]:
        """The average square; the average and the buffer, if they are asked for."""
        average = ("grad_avg",) if self.centered else ()
        buffer = ("momentum_buffer",) if self.momentum else ()
        return ("square_avg", *average, *buffer)

    def initial_values(self) -> dict[str, float]:
        """The average square begins with `initial_accumulator_value`."""
        return {"square_avg": self.initial_accumulator_value}

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new averages and buffer, and the step."""
        v = self._average(state["square_avg"], squared(g))
        new = {"square_avg": v}
        if self.centered:
            a = new["grad_avg"] = self._average(state["grad_avg"], g)
            v = maximum(v - squared(a), 0.0)
        direction = g / rooted(v, self.eps, inside=self.eps_in_root)
        if not self.momentum:
            return new, self.lr * direction
        direction = self.lr * direction if self.lr_in_buffer else direction
        b = self.momentum * state["momentum_buffer"] + direction
        return {**new, "momentum_buffer": b}, b if self.lr_in_buffer else self.lr * b

    def _average(self, old: Any, x: Any) -> Any:
        return self.alpha * old + (1 - self.alpha) * x
