"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels.expression import where
from optshare.rules.base import Arrays, Number, Rule, decayed


class SGD(Rule):
    """Gradient descent, with momentum and L2 regularisation if asked, as in PyTorch.

        g = gradient + weight_decay * value
        b = momentum * b + (1 - dampening) * g    (at the first step b = g)
        value -= lr * b                     (plain)
        value -= lr * (g + momentum * b)    (nesterov)

    With `lr_in_buffer`, as in Keras, lr multiplies what enters the buffer instead of
    what leaves it; they part when lr changes.

    Args:
        lr: the learning rate, at least 0.
        momentum: in [0, 1); 0 keeps no buffer.
        dampening: in [0, 1): how much of the gradient does not enter the buffer.
        weight_decay: L2 regularisation, at least 0.
        nesterov: look ahead; needs momentum, and no dampening.
        lr_in_buffer: keep steps in the buffer, instead of gradients.

    Raises:
        HyperparameterError: a value out of range.

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
    weight_decay: Number = 0.0
    nesterov: bool = False
    dampening: Number = 0.0
    lr_in_buffer: bool = False

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

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new momentum buffer, and the step."""
        g = decayed(gradient, value, self.weight_decay)
        if not self.momentum:
            return {}, self.lr * g
        g = self.lr * g if self.lr_in_buffer else g
        entering = where(t <= 1, 1.0, 1 - self.dampening) * g if self.dampening else g
        b = self.momentum * state["momentum_buffer"] + entering
        direction = g + self.momentum * b if self.nesterov else b
        return {"momentum_buffer": b}, direction if self.lr_in_buffer else self.lr * direction
