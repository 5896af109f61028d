"""What all schedules share: the meaning of a step, and the checks of options."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

from optshare.errors import HyperparameterError

Schedule = Callable[[float], float]
"""A hyperparameter's value at a step: the number of optimizer steps taken before, from 0."""


def require_steps(schedule: Any, name: str = "steps") -> None:
    """Raise `HyperparameterError` if a schedule's count of steps is no number of at least 1."""
    count = getattr(schedule, name)
    if not (is_number(count) and 1 <= count < math.inf):
        _refuse(schedule, name, "must be a number of at least 1", count)


def require_numbers(schedule: Any, *names: str) -> None:
    """Raise `HyperparameterError` for a field that is no finite number."""
    for name in names:
        if not is_number(getattr(schedule, name)):
            _refuse(schedule, name, "must be a finite number", getattr(schedule, name))


def require_positive(schedule: Any, *names: str) -> None:
    """Raise `HyperparameterError` for a field that is no finite number above 0."""
    for name in names:
        value = getattr(schedule, name)
        if not (is_number(value) and value > 0):
            _refuse(schedule, name, "must be a number above 0", value)


def require_increasing(schedule: Any, name: str, least: float = 1) -> None:
    """Raise `HyperparameterError` if a field's steps do not increase from at least `least`."""
    steps: Sequence[float] = getattr(schedule, name)
    rising = all(is_number(each) for each in steps) and all(
        low < high for low, high in pairwise(steps)
    )
    if not (steps and rising and steps[0] >= least):
        _refuse(schedule, name, f"must be increasing steps from at least {least:g}", steps)


def require_schedule(schedule: Any, name: str, value: Any) -> None:
    """Raise `HyperparameterError` if what a schedule combines is neither schedule nor number."""
    if not (callable(value) or is_number(value)):
        _refuse(schedule, name, "must be a schedule or a number", value)


def value_at(schedule: Schedule | float, step: float) -> float:
    """A schedule's value; a number is a schedule that never changes.

    >>> value_at(0.5, 3), value_at(lambda step: step / 2, 3)
    (0.5, 1.5)
    """
    return schedule(step) if callable(schedule) else schedule


def is_number(value: Any) -> bool:
    """Whether something is a finite real number.

    >>> is_number(1e-3), is_number(True), is_number(math.nan)
    (True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(value)


def _refuse(schedule: Any, name: str, wanted: str, value: Any) -> None:
    raise HyperparameterError(f"{type(schedule).__name__}: {name} {wanted}, not {value!r}")
