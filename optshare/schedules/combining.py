"""Schedules made of others: after one another, again and again, later, slower, between points."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from optshare.errors import HyperparameterError
from optshare.schedules.base import (
    Schedule,
    is_number,
    require_increasing,
    require_numbers,
    require_positive,
    require_schedule,
    require_steps,
    value_at,
)


@dataclass(frozen=True)
class WarmUp:
    """A line from `start` to where another schedule begins, in `steps`; then that one.

        start + (then(0) - start) * step / steps    before `steps`
        then(step - steps)                          from there

    Source: Goyal et al., Accurate, Large Minibatch SGD, 2017, https://arxiv.org/abs/1706.02677;
    `optax.warmup_constant_schedule`, `LinearLR` in a `SequentialLR` of PyTorch's.

    >>> schedule = WarmUp(4, then=0.5)
    >>> [schedule(step) for step in range(6)]
    [0.0, 0.125, 0.25, 0.375, 0.5, 0.5]
    """

    steps: int
    then: Schedule | float
    start: float = 0.0

    def __post_init__(self) -> None:
        require_steps(self)
        require_schedule(self, "then", self.then)
        require_numbers(self, "start")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        if step >= self.steps:
            return value_at(self.then, step - self.steps)
        return self.start + (value_at(self.then, 0) - self.start) * step / self.steps


@dataclass(frozen=True)
class Sequence:
    """Schedules after one another, each counting from its own beginning.

    Args:
        schedules: schedules or numbers.
        milestones: the steps at which the second, the third, ... begin.

    `torch.optim.lr_scheduler.SequentialLR`, `optax.join_schedules`.

    >>> schedule = Sequence((1.0, lambda step: step / 10), milestones=(2,))
    >>> [schedule(step) for step in range(5)]
    [1.0, 1.0, 0.0, 0.1, 0.2]
    """

    schedules: tuple[Schedule | float, ...]
    milestones: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", tuple(self.schedules))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for each in self.schedules:
            require_schedule(self, "each of schedules", each)
        require_increasing(self, "milestones")
        if len(self.schedules) != len(self.milestones) + 1:
            raise HyperparameterError(
                f"Sequence: {len(self.schedules)} schedules have {len(self.schedules) - 1} "
                f"milestones between them, not {len(self.milestones)}"
            )

    def __call__(self, step: float) -> float:
        """The value at a step."""
        place = bisect_right(self.milestones, step)
        begin = self.milestones[place - 1] if place else 0
        return value_at(self.schedules[place], step - begin)


@dataclass(frozen=True)
class Loop:
    """The first `steps` of a schedule again and again: `schedule(step % steps)`.

    `Loop(Cosine(1e-3, 100), 100)` is `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.

    >>> schedule = Loop(lambda step: step / 2, 3)
    >>> [schedule(step) for step in range(5)]
    [0.0, 0.5, 1.0, 0.0, 0.5]
    """

    schedule: Schedule
    steps: int

    def __post_init__(self) -> None:
        require_schedule(self, "schedule", self.schedule)
        require_steps(self)

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return value_at(self.schedule, step % self.steps)


@dataclass(frozen=True)
class Shifted:
    """A schedule that begins later: `schedule(step - by)`, and before that its first value.

    For a schedule that begins in mid-run: `opt.adjust(lr=Shifted(schedule, opt.steps))`.

    >>> schedule = Shifted(lambda step: step / 2, 2)
    >>> [schedule(step) for step in range(5)]
    [0.0, 0.0, 0.0, 0.5, 1.0]
    """

    schedule: Schedule
    by: int

    def __post_init__(self) -> None:
        require_schedule(self, "schedule", self.schedule)
        require_numbers(self, "by")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return value_at(self.schedule, max(step - self.by, 0))


@dataclass(frozen=True)
class Stretched:
    """A schedule that goes slower: `schedule(step / by)`.

    It makes a schedule in epochs into one in steps, `by` the steps of an epoch.

    >>> schedule = Stretched(lambda epoch: epoch, 4)
    >>> [schedule(step) for step in range(4)]
    [0.0, 0.25, 0.5, 0.75]
    """

    schedule: Schedule
    by: float

    def __post_init__(self) -> None:
        require_schedule(self, "schedule", self.schedule)
        require_positive(self, "by")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        return value_at(self.schedule, step / self.by)


@dataclass(frozen=True)
class Interpolate:
    """Lines between given values at given steps; the first value before, the last one after.

    `optax.piecewise_interpolate_schedule`, `numpy.interp`.

    >>> schedule = Interpolate(steps=(0, 2, 4), values=(0.0, 1.0, 0.5))
    >>> [schedule(step) for step in range(6)]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "values", tuple(self.values))
        require_increasing(self, "steps", least=0)
        if len(self.steps) != len(self.values):
            raise HyperparameterError(
                f"Interpolate: {len(self.steps)} steps need as many values, not {len(self.values)}"
            )
        for value in self.values:
            if not is_number(value):
                raise HyperparameterError(f"Interpolate: values are numbers, not {value!r}")

    def __call__(self, step: float) -> float:
        """The value at a step."""
        place = bisect_right(self.steps, step)
        if place in (0, len(self.steps)):
            return self.values[min(place, len(self.steps) - 1)]
        left, right = self.steps[place - 1 : place + 1]
        low, high = self.values[place - 1 : place + 1]
        return low + (high - low) * (step - left) / (right - left)
