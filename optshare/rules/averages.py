"""Averages of weights over training: exponential, and stochastic weight averaging."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from optshare.kernels.expression import maximum, where
from optshare.rules.base import Arrays, Number, Rule, require_whole


class _Average(Rule):
    """What averages share: the array `average`, and a step that they do not change."""

    stands_last = True

    def state_names(self) -> tuple[str, ...]:
        """The average."""
        return ("average",)

    def initial_values(self) -> dict[str, Any]:
        """The average begins as the value."""
        return {"average": "value"}

    def evaluation(self, value: Any, state: Arrays, t: Any) -> Any:
        """The average."""
        return state["average"]


class EMA(_Average):
    """An exponential moving average of the values: it stands last in a chain.

        new = value - step
        average = new                                        at the first update
        average = decay * average + (1 - decay) * new        at the others

    With debias the same sum begins at 0, and is divided by 1 - decay**t. The values are
    trained as without it; `opt.averaged()` puts the average in the parameters' place.
    PyTorch's `AveragedModel` and Keras's `use_ema` are without debias, optax's `ema` is
    with it.

    Args:
        decay: how much of the average is kept, in [0, 1).
        debias: weigh all values alike in the beginning.

    Raises:
        HyperparameterError: a value out of range.

    Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging,
    1992, https://doi.org/10.1137/0330046

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([0.])
    >>> opt = optshare.Optimizer([w], optshare.EMA(0.5))
    >>> for _ in range(3): opt.update([np.array([-1.])])
    >>> with opt.averaged(): print(w.value)
    [2.25]
    >>> w.value
    array([3.])
    """

    decay: Number = field(default=0.999, kw_only=False)
    debias: bool = False

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The average, and the step as it came."""
        new, average = value - gradient, state["average"]
        weight = (1 - self.decay) / (1 - self.decay**t) if self.debias else 1 - self.decay
        return {"average": where(t <= 1, new, average + weight * (new - average))}, gradient


class SWA(_Average):
    """Stochastic weight averaging: the plain mean of values; it stands last in a chain.

        average = value after the step               until update `start`
        average = mean of the values after updates start, start + every, start + 2 * every, ...

    With start at 0 the initial value is among them. The values are trained as without it,
    in the paper with a cyclical or constant learning rate; `opt.averaged()` puts the
    average in the parameters' place. The running statistics of BatchNorm are no
    parameters: before evaluation pass data through the averaged model once more.

    Args:
        start: the update whose value is the first one, an integer of at least 0.
        every: an integer of at least 1.

    Raises:
        HyperparameterError: a value out of range, or one that is no integer.

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better
    Generalization, 2018, https://arxiv.org/abs/1803.05407

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([0.])
    >>> opt = optshare.Optimizer([w], optshare.SWA(start=2, every=2))
    >>> for _ in range(5): opt.update([np.array([-1.])])
    >>> with opt.averaged(): print(w.value)
    [3.]
    """

    start: Number
    every: Number = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "start", "every")

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The average, and the step as it came."""
        new, average = value - gradient, state["average"]
        since = maximum(t - self.start, 0.0)
        weight = where(since % self.every <= 0, self.every / (since + self.every), 0.0)
        moved = average + weight * (new - average)
        return {"average": where(t <= self.start, new, moved)}, gradient
