"""Adafactor."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optshare.errors import HyperparameterError
from optshare.orientation import Site
from optshare.rules.array import ArrayRule, at_least, counted, rms
from optshare.rules.base import Arrays, Number, Rule, shrunk
from optshare.rules.values import is_scheduled


class Adafactor(ArrayRule):
    """Adam without momentum whose second moment is kept as a row and a column, as in PyTorch.

        beta = 1 - t**beta2_decay
        row = beta * row + (1 - beta) * mean(g**2, axis=-1)
        column = beta * column + (1 - beta) * mean(g**2, axis=-2)
        v = row * column / max(mean(row, axis=-2), eps1)              (two axes or more)
        v = beta * v + (1 - beta) * g**2                              (fewer)
        u = g / sqrt(max(v, eps1**2))
        rate = min(lr, 1 / sqrt(t)) * max(eps2, rms(value))
        value -= lr * weight_decay * value
        value -= rate * u / max(1, rms(u) / d)

    rms is the root of the mean square. Options for the formulas of others:

    Args:
        lr: the largest learning rate, at least 0.
        beta2_decay: how fast the second moment becomes a longer average, at most 0.
        eps: eps1, by default the machine's, and eps2, the least rms of the weights; at least 0.
        d: the largest rms of u, at least 1.
        weight_decay: decoupled decay, at least 0.
        eps_added: add eps1 to g**2 in place of the bound, as Keras and optax do.
        relative_step: keep the learning rate below 1 / sqrt(t); optax does not.
        largest_axes: average over the two largest axes in place of the last two, as optax does.
        factored_from: the least size that the smaller of these axes must have, else v is kept
            whole; optax's is 128.
        decay_times_lr: multiply the decay by lr; optax does not.
        decay_first: take the rms of the weights after their decay, as Keras does.

    The state arrays have PyTorch's names and shapes: `row_var` and `col_var`, of the axes of the
    parameter with 1 in place of the one averaged over, or `variance`.

    Raises:
        HyperparameterError: a value out of range.

    Source: Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost,
    2018, https://arxiv.org/abs/1804.04235;
    https://pytorch.org/docs/stable/generated/torch.optim.Adafactor.html

    >>> import numpy as np, optshare
    >>> rule = optshare.Adafactor(lr=0.5)
    >>> value, gradient = np.array([[3.0, 4.0, 0.0, 0.0]]), np.array([[2.0, -1.0, 1.0, 0.0]])
    >>> state = rule.initial_state(np, value, optshare.rules.Site(0, "w"))
    >>> state["row_var"].shape, state["col_var"].shape
    ((1, 1), (1, 4))
    >>> rule.array_step(np, value, gradient, state, 1)[1]
    array([[ 1.25, -1.25,  1.25,  0.  ]])
    """

    lr: Number = 1e-2
    beta2_decay: Number = -0.8
    eps: tuple[Number | None, Number] = (None, 1e-3)
    d: Number = 1.0
    weight_decay: Number = 0.0
    eps_added: bool = False
    relative_step: bool = True
    largest_axes: bool = False
    factored_from: Number = 0
    decay_times_lr: bool = True
    decay_first: bool = False

    _LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        **Rule._LIMITS,
        "d": (1.0, math.inf),
        "factored_from": (0.0, math.inf),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_scheduled(self.beta2_decay) and self.beta2_decay > 0:
            raise HyperparameterError(
                f"Adafactor: beta2_decay must be at most 0, not {self.beta2_decay!r}"
            )

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """Averages begin as zeros."""
        axes = self._axes(tuple(value.shape))
        if axes is None:
            return {"variance": ops.zeros_like(value)}
        pairs = zip(_NAMES, axes, strict=True)
        return {name: ops.zeros_like(_slice(value, axis)) for name, axis in pairs}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new averages, and the step."""
        if 0 in value.shape:
            return state, gradient
        t, eps1 = counted(ops, t, value), self._eps1(value)
        squares = gradient * gradient + eps1 if self.eps_added else gradient * gradient
        new, v = self._estimated(ops, squares, state, t**self.beta2_decay, eps1)
        u = gradient / ops.sqrt(v if self.eps_added else at_least(ops, v, eps1 * eps1))
        u = u / at_least(ops, rms(ops, u) / self.d, 1.0)
        decay = self.weight_decay
        shrinking = shrunk(0.0, value, self.lr if self.decay_times_lr else 1.0, decay)
        weights = value - shrinking if self.decay_first else value
        return new, self._rate(ops, t) * at_least(
            ops, rms(ops, weights), self.eps[1]
        ) * u + shrinking

    def _axes(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """The axes that rows and columns are averages over; `None` where v is kept whole."""
        if len(shape) < 2:
            return None
        by_size = sorted(range(len(shape)), key=lambda axis: shape[axis])
        column, row = by_size[-2:] if self.largest_axes else range(len(shape))[-2:]
        return None if min(shape[row], shape[column]) < self.factored_from else (row, column)

    def _estimated(
        self, ops: Any, squares: Any, state: Arrays, rate: Any, eps1: float
    ) -> tuple[Arrays, Any]:
        """The new averages, and the second moment that they stand for."""
        axes = self._axes(tuple(squares.shape))
        if axes is None:
            variance = _moved(state["variance"], squares, rate)
            return {"variance": variance}, variance
        means = (ops.mean(squares, axis=axis, keepdims=True) for axis in axes)
        row, column = (
            _moved(state[name], mean, rate) for name, mean in zip(_NAMES, means, strict=True)
        )
        whole = at_least(ops, ops.mean(row, axis=axes[1], keepdims=True), eps1)
        return dict(zip(_NAMES, (row, column), strict=True)), row / whole * column

    def _eps1(self, value: Any) -> float:
        if self.eps[0] is not None:
            return self.eps[0]
        return float(np.finfo(str(value.dtype).rpartition(".")[2]).eps)

    def _rate(self, ops: Any, t: Any) -> Any:
        if not self.relative_step:
            return self.lr
        largest = t**-0.5
        if not hasattr(largest, "dtype"):
            return min(self.lr, largest)
        return ops.minimum(largest, ops.zeros_like(largest) + self.lr)


_NAMES = "row_var", "col_var"


def _moved(average: Any, x: Any, rate: Any) -> Any:
    """An average moved towards x."""
    return (1 - rate) * average + rate * x


def _slice(array: Any, axis: int) -> Any:
    """The first place along an axis, which stays."""
    return array[(slice(None),) * axis + (slice(0, 1),)]
