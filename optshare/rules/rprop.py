"""Rprop."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels.expression import maximum, minimum, sign, where
from optshare.rules.base import Arrays, Number, Rule
from optshare.rules.values import is_scheduled


class Rprop(Rule):
    """Each element's own step size, which grows while its gradient keeps its sign.

        size = clip(size * etas[1], *step_sizes)            (g has the sign of the one before)
        size = clip(size * etas[0], *step_sizes); g = 0     (it has the other sign)
        value -= sign(g) * size

    Args:
        lr: what the step sizes begin with, at least 0; changed later, it changes nothing.
        etas: how much a step size shrinks and grows; 0 < etas[0] < 1 < etas[1].
        step_sizes: the smallest and largest step size, at least 0.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    It is made for gradients of the whole data, not of minibatches. The state
    arrays: `prev` is the gradient before, PyTorch's name; `step_size` is size.

    Raises:
        HyperparameterError: a value out of range, or etas or step_sizes out of order.

    Source: Riedmiller and Braun, A Direct Adaptive Method for Faster
    Backpropagation Learning: The RPROP Algorithm, 1993;
    https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.Rprop([w], lr=0.5)
    >>> opt.update([np.array([2.])]); opt.update([np.array([3.])])
    >>> w, opt.state_for(w).step_size
    (Parameter(array([-0.1])), array([0.6]))
    """

    lr: Number = 1e-2
    etas: tuple[Number, Number] = (0.5, 1.2)
    step_sizes: tuple[Number, Number] = (1e-6, 50.0)
    complex_as_reals: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_scheduled(self.etas) and not 0.0 < self.etas[0] < 1.0 < self.etas[1]:
            raise HyperparameterError(
                f"Rprop: etas must be 0 < etas[0] < 1 < etas[1], not {self.etas!r}"
            )
        if not is_scheduled(self.step_sizes) and self.step_sizes[0] > self.step_sizes[1]:
            raise HyperparameterError(
                f"Rprop: step_sizes must be the smallest and the largest, not {self.step_sizes!r}"
            )

    def state_names(self) -> tuple[str, ...]:
        """The gradient before, and the step sizes."""
        return "prev", "step_size"

    def initial_values(self) -> dict[str, float]:
        """The step sizes begin with lr."""
        return {"step_size": self.lr}

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The gradient, 0 where its sign changed, and the step."""
        agreement, size = gradient * state["prev"], state["step_size"]
        shrinking, growing = self.etas
        size = where(agreement > 0, size * growing, where(agreement < 0, size * shrinking, size))
        size = minimum(maximum(size, self.step_sizes[0]), self.step_sizes[1])
        g = where(agreement < 0, 0.0, gradient)
        return {"prev": g, "step_size": size}, sign(g) * size
