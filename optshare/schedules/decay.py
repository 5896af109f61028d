"""Schedules that go from one value towards another: by steps, a power, an exponential, a cosine."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from optshare.schedules.base import (
    require_increasing,
    require_numbers,
    require_positive,
    require_steps,
)


@dataclass(frozen=True)
class Constant:
    """The same value at every step.

    >>> Constant(0.1)(7)
    0.1
    """

    value: float

    def __post_init__(self) -> None:
        require_numbers(self, "value")

    def __call__(self, step: float) -> float:
        """The value."""
        return self.value


@dataclass(frozen=True)
class StepDecay:
    """A value multiplied by `factor` after every so many steps.

        value * factor ** floor(step / steps)

    `torch.optim.lr_scheduler.StepLR`, `optax.exponential_decay(staircase=True)`.

    >>> schedule = StepDecay(1.0, steps=10, factor=0.5)
    >>> schedule(9), schedule(10), schedule(20)
    (1.0, 0.5, 0.25)
    """

    value: float
    steps: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        require_numbers(self, "value")
        require_steps(self)
        require_positive(self, "factor")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return self.value * self.factor ** (step // self.steps)


@dataclass(frozen=True)
class MultiStep:
    """A value multiplied by `factor` at each milestone.

        value * factor ** (how many milestones are <= step)

    `torch.optim.lr_scheduler.MultiStepLR`, `optax.piecewise_constant_schedule`.

    >>> schedule = MultiStep(1.0, milestones=(10, 30), factor=0.5)
    >>> schedule(9), schedule(10), schedule(30)
    (1.0, 0.5, 0.25)
    """

    value: float
    milestones: tuple[int, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))
        require_numbers(self, "value")
        require_increasing(self, "milestones")
        require_positive(self, "factor")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return self.value * self.factor ** bisect_right(self.milestones, step)


@dataclass(frozen=True)
class Exponential:
    """A value multiplied by `factor` over every so many steps, smoothly.

        value * factor ** (step / steps)

    `torch.optim.lr_scheduler.ExponentialLR`, `optax.exponential_decay`.

    >>> schedule = Exponential(1.0, factor=0.25, steps=2)
    >>> schedule(1), schedule(2)
    (0.5, 0.25)
    """

    value: float
    factor: float
    steps: int = 1

    def __post_init__(self) -> None:
        require_numbers(self, "value")
        require_positive(self, "factor")
        require_steps(self)

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return self.value * self.factor ** (step / self.steps)


@dataclass(frozen=True)
class Polynomial:
    """From `value` to `end` in `steps`, along a power; then `end`. Power 1 is a line.

        end + (value - end) * (1 - min(step, steps) / steps) ** power

    `torch.optim.lr_scheduler.PolynomialLR`, `optax.polynomial_schedule`.

    >>> schedule = Polynomial(1.0, steps=4, power=2)
    >>> schedule(0), schedule(2), schedule(5)
    (1.0, 0.25, 0.0)
    """

    value: float
    steps: int
    power: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self, "value", "end")
        require_steps(self)
        require_positive(self, "power")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        left = 1 - min(step, self.steps) / self.steps
        return self.end + (self.value - self.end) * left**self.power


@dataclass(frozen=True)
class Inverse:
    """A value divided by a power of the step.

        value / (1 + rate * step) ** power

    Power 1/2 after a `WarmUp` of n steps, with rate 1/n, is the schedule of
    Vaswani et al., Attention Is All You Need, 2017, https://arxiv.org/abs/1706.03762

    >>> schedule = Inverse(1.0, rate=0.5)
    >>> schedule(0), schedule(2)
    (1.0, 0.5)
    """

    value: float
    rate: float
    power: float = 1.0

    def __post_init__(self) -> None:
        require_numbers(self, "value")
        require_positive(self, "rate", "power")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return self.value / (1 + self.rate * step) ** self.power


@dataclass(frozen=True)
class Cosine:
    """From `value` to `end` in `steps`, along half a cosine; then `end`.

        end + (value - end) * (1 + cos(pi * min(step, steps) / steps)) / 2

    With restarts it is `Loop(Cosine(value, steps), steps)`.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm
    Restarts, 2017, https://arxiv.org/abs/1608.03983;
    `torch.optim.lr_scheduler.CosineAnnealingLR`, `optax.cosine_decay_schedule`.

    >>> schedule = Cosine(1.0, steps=10)
    >>> schedule(0), round(schedule(5), 12), schedule(11)
    (1.0, 0.5, 0.0)
    """

    value: float
    steps: int
    end: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self, "value", "end")
        require_steps(self)

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return eased(self.value, self.end, min(step, self.steps) / self.steps)


def eased(start: float, end: float, share: float) -> float:
    """Between two values, along half a cosine.

    >>> eased(1.0, 3.0, 0.0), round(eased(1.0, 3.0, 0.5), 12), eased(1.0, 3.0, 1.0)
    (1.0, 2.0, 3.0)
    """
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
