"""Schedules that rise and fall: one cycle, and triangles and sines that repeat."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optshare.errors import HyperparameterError
from optshare.schedules.base import require_numbers, require_positive, require_steps
from optshare.schedules.decay import eased


@dataclass(frozen=True)
class OneCycle:
    """From `start` up to `peak`, then down to `end`, each along half a cosine.

    Args:
        peak: the value at the top.
        steps: the length of the whole; the last step, `steps - 1`, has the value `end`.
        rise: the share of the steps until the top, between 0 and 1.
        start: the value at step 0; `peak / 25` if left out.
        end: the last value, which stays; `start / 10000` if left out.

    The top is at step `rise * steps - 1`. For the momentum that goes the other way:
    `OneCycle(0.85, steps, start=0.95, end=0.95)`.

    Source: Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks
    Using Large Learning Rates, 2018, https://arxiv.org/abs/1708.07120;
    `torch.optim.lr_scheduler.OneCycleLR`.

    >>> schedule = OneCycle(1.0, steps=10, start=0.5, end=0.0)
    >>> schedule(0), schedule(2), schedule(9)
    (0.5, 1.0, 0.0)
    """

    peak: float
    steps: int
    rise: float = 0.3
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        if self.start is None:
            require_numbers(self, "peak")
            object.__setattr__(self, "start", self.peak / 25)
        if self.end is None:
            require_numbers(self, "start")
            object.__setattr__(self, "end", (self.start or 0.0) / 1e4)
        require_numbers(self, "peak", "rise", "start", "end")
        require_steps(self)
        if not 1 < self.rise * self.steps < self.steps:
            raise HyperparameterError(
                f"OneCycle: rise={self.rise!r} of steps={self.steps!r} leaves no step "
                f"to go up, or none to go down"
            )

    def __call__(self, step: float) -> float:
        """The value at a step."""
        top, last = self.rise * self.steps - 1, self.steps - 1
        start, end = self.start or 0.0, self.end or 0.0
        if step <= top:
            return eased(start, self.peak, step / top)
        return eased(self.peak, end, min((step - top) / (last - top), 1.0))


@dataclass(frozen=True)
class Triangular:
    """From `low` up to `high` in `steps`, and down again in as many; then once more.

        low + (high - low) * |triangle|     a period has 2 * steps

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017,
    https://arxiv.org/abs/1506.01186; `torch.optim.lr_scheduler.CyclicLR`.

    >>> schedule = Triangular(0.0, 1.0, steps=2)
    >>> [schedule(step) for step in range(6)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
    """

    low: float
    high: float
    steps: int

    def __post_init__(self) -> None:
        require_numbers(self, "low", "high")
        require_steps(self)

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return self.low + (self.high - self.low) * self._wave(step) * self._height(step)

    def _wave(self, step: float) -> float:
        """Between 0 and 1, with the period `2 * steps`."""
        return 1 - abs(1 - step % (2 * self.steps) / self.steps)

    def _height(self, step: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Triangular2(Triangular):
    """`Triangular`, half as high in each cycle as in the one before.

    `CyclicLR(mode="triangular2")`.

    >>> schedule = Triangular2(0.0, 1.0, steps=1)
    >>> [schedule(step) for step in range(6)]
    [0.0, 1.0, 0.0, 0.5, 0.0, 0.25]
    """

    def _height(self, step: float) -> float:
        return 0.5 ** (step // (2 * self.steps))


@dataclass(frozen=True)
class TriangularExp(Triangular):
    """`Triangular` times `factor ** step`: its height decays with each step.

    `CyclicLR(mode="exp_range")`.

    >>> schedule = TriangularExp(0.0, 1.0, steps=1, factor=0.5)
    >>> [schedule(step) for step in range(4)]
    [0.0, 0.5, 0.0, 0.125]
    """

    factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "factor")

    def _height(self, step: float) -> float:
        return self.factor**step


class _Sinusoidal(Triangular):
    def _wave(self, step: float) -> float:
        return abs(math.sin(math.pi * (step % (2 * self.steps)) / (2 * self.steps)))


@dataclass(frozen=True)
class Sine(_Sinusoidal):
    """`Triangular` with half a sine in place of the triangle.

        low + (high - low) * |sin(pi * step / (2 * steps))|

    >>> schedule = Sine(0.0, 1.0, steps=3)
    >>> [round(schedule(step), 12) for step in (0, 1, 3, 6)]
    [0.0, 0.5, 1.0, 0.0]
    """


@dataclass(frozen=True)
class Sine2(_Sinusoidal, Triangular2):
    """`Sine`, half as high in each cycle as in the one before.

    >>> schedule = Sine2(0.0, 1.0, steps=1)
    >>> [round(schedule(step), 12) for step in range(4)]
    [0.0, 1.0, 0.0, 0.5]
    """


@dataclass(frozen=True)
class SineExp(_Sinusoidal, TriangularExp):
    """`Sine` times `factor ** step`: its height decays with each step.

    >>> schedule = SineExp(0.0, 1.0, steps=1, factor=0.5)
    >>> [round(schedule(step), 12) for step in range(4)]
    [0.0, 0.5, 0.0, 0.125]
    """
