"""ArrayRule: an update that sees the whole array of a parameter."""

from __future__ import annotations

from typing import Any, NamedTuple

from optshare.rules.base import Arrays, Rule

Axes = tuple[int, ...]


class Site(NamedTuple):
    """Where a parameter stands."""

    place: int
    """The index of the parameter among those of the optimizer."""
    path: str
    fans: tuple[Axes, Axes] | None = None
    """The axes of the inputs and those of the outputs, of a weight that has them."""


class ArrayRule(Rule):
    """A rule that is not element-wise: it uses norms, means or products of whole arrays."""

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """The arrays of `state_names`, of any shape, and the numbers of `scalar_names`."""
        return {}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new state, and the step: what is subtracted from the value."""
        raise NotImplementedError
