"""How far parameters are: what is alike for all that have been updated together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, float] = MappingProxyType({})


class Progress:
    """The step count of some parameters and the numbers of their state.

    Parameters of one rule that are updated together share it, so that a step counts once for
    all of them. One that goes its own way gets another.
    """

    __slots__ = ("is_current", "scalars", "step", "t")

    def __init__(self, t: int = 0, step: int = -1, scalars: Mapping[str, float] = _NONE) -> None:
        self.t = t
        """How many updates there have been."""
        self.step = step
        """The optimizer's step of the last update, from 0; -1 before one."""
        self.scalars = scalars
        self.is_current = True
        """Whether all that share it still have the rule and the arrays that they had."""

    def changed(self, **changes: Any) -> Progress:
        """Another one with some changes, for one parameter."""
        self.is_current = False
        known: dict[str, Any] = {"t": self.t, "step": self.step, "scalars": self.scalars}
        return Progress(**{**known, **changes})

    def advance(self, step: int, scalars: Mapping[str, float]) -> None:
        """Note an update of all that share it."""
        self.t += 1
        self.step = step
        self.scalars = MappingProxyType(dict(scalars)) if scalars else _NONE

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.t, self.step, dict(self.scalars))


def _made(t: int, step: int, scalars: dict[str, float]) -> Progress:
    return Progress(t, step, MappingProxyType(scalars))
