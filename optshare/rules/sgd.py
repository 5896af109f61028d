"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels.expression import where
from optshare.rules.base import Arrays, Number
from optshare.rules.decay import Decaying


class SGD(Decaying):
    """Gradient descent, with momentum and L2 regularisation if asked, as in PyTorch.

        g = gradient + weight_decay * value
        b = momentum * b + (1 - dampening) * g    (at the first step b = g)
        value -= lr * b                     (plain)
        value -= lr * (g + momentum * b)    (nesterov)

    With `lr_in_buffer`, as in Keras, lr multiplies what enters the buffer instead of
    what leaves it; they part when lr changes. With `dampen_first` the first step is
    dampened like all others; a dampening equal to the momentum then makes b an
    average of gradients, as in HIPS autograd.

    Args:
        lr: the learning rate, at least 0.
        momentum: in [0, 1); 0 keeps no buffer.
        dampening: in [0, 1): how much of the gradient does not enter the buffer.
        nesterov: look ahead; needs momentum, and no dampening.
        lr_in_buffer: keep steps in the buffer, instead of gradients.
        dampen_first: dampen the first gradient too.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Sutskever et al., On the importance of initialization and momentum
    in deep learning, 2013; https://pytorch.org/docs/stable/generated/torch.optim.SGD.html

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.SGD([w], lr=0.1, momentum=0.9)
    >>> opt.update([np.array([1.])]); opt.update([np.array([1.])])
    >>> w
    Parameter(array([0.71]))
    """

    lr: Number = 1e-3
    momentum: Number = 0.0
    nesterov: bool = False
    dampening: Number = 0.0
    lr_in_buffer: bool = False
    dampen_first: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise HyperparameterError("SGD: nesterov=True needs a momentum above 0, such as 0.9")
        if self.nesterov and self.dampening:
            raise HyperparameterError(
                f"SGD: nesterov=True needs a dampening of 0, not {self.dampening!r}"
            )

    def state_names(self) -> tuple[str, ...]:
        """The momentum buffer, if there is momentum."""
        return ("momentum_buffer",) if self.momentum else ()

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new momentum buffer, and the step."""
        if not self.momentum:
            return {}, self.lr * g
        g = self.lr * g if self.lr_in_buffer else g
        b = self.momentum * state["momentum_buffer"] + self._entering(g, t)
        direction = g + self.momentum * b if self.nesterov else b
        return {"momentum_buffer": b}, direction if self.lr_in_buffer else self.lr * direction

    def _entering(self, g: Any, t: Any) -> Any:
        if not self.dampening:
            return g
        part = 1 - self.dampening
        return (part if self.dampen_first else where(t <= 1, 1.0, part)) * g
