"""What the rules of frameworks share: weight decay in four ways, complex numbers in two."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.rules.base import Arrays, Number, Rule, decayed, shrunk


class Decaying(Rule):
    """A rule with weight decay: it defines `undecayed_step`, and inherits the rest.

        g = gradient + weight_decay * value                        (L2 regularisation)
        value -= step + lr * weight_decay * value                  (decoupled_weight_decay)
        value -= step + weight_decay * value                       (decay_without_lr)
        value -= step + lr * weight_decay * (value - step)         (decay_after_step)

    Args:
        lr: the learning rate, at least 0.
        weight_decay: how much, at least 0.
        decoupled_weight_decay: shrink the value, instead of adding to the gradient.
        decay_without_lr: shrink it by weight_decay, not lr times it; needs the former.
        decay_after_step: shrink the value that the step has led to; needs the former.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    >>> import numpy as np
    >>> class Descent(Decaying):
    ...     def undecayed_step(self, g, state, t):
    ...         return {}, self.lr * g
    >>> rule = Descent(lr=0.5, weight_decay=0.1, decoupled_weight_decay=True)
    >>> rule.step(np.ones(1), np.ones(1), {}, 1)
    ({}, array([0.55]))
    """

    lr: Number = 1e-3
    weight_decay: Number = 0.0
    decoupled_weight_decay: bool = False
    decay_without_lr: bool = False
    decay_after_step: bool = False
    complex_as_reals: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("decay_without_lr", "decay_after_step"):
            if getattr(self, option) and not self.decoupled_weight_decay:
                raise HyperparameterError(
                    f"{type(self).__name__}: {option}=True needs decoupled_weight_decay=True"
                )

    def undecayed_step(self, g: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new state and the step, for a gradient that has its decay."""
        raise NotImplementedError

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new state, and the step with weight decay."""
        if not self.decoupled_weight_decay:
            return self.undecayed_step(decayed(gradient, value, self.weight_decay), state, t)
        new, step = self.undecayed_step(gradient, state, t)
        shrinking = value - step if self.decay_after_step and self.weight_decay else value
        rate = 1.0 if self.decay_without_lr else self.lr
        return new, shrunk(step, shrinking, rate, self.weight_decay)
