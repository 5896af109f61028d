"""What the kernels know of a rule: the names of its state, and what it computes."""

from __future__ import annotations

from typing import Any, NamedTuple


class Mathematics:
    """The base of every rule."""

    complex_as_reals: bool = False
    """Whether complex arrays are to be computed with as pairs of real ones."""

    def state_names(self) -> tuple[str, ...]:
        """The arrays that the rule keeps for a parameter, shaped like it."""
        return ()

    def scalar_names(self) -> tuple[str, ...]:
        """The numbers that the rule keeps for a parameter, on the host in float64."""
        return ()

    def copied_names(self) -> tuple[str, ...]:
        """The arrays that begin as copies of the parameter's value."""
        return ()

    def begin(self, ops: Any, value: Any, dtype: Any, site: Any) -> dict[str, Any]:
        """The state before the first step: arrays and numbers."""
        raise NotImplementedError

    def step(
        self, value: Any, gradient: Any, state: dict[str, Any], t: Any
    ) -> tuple[dict[str, Any], Any]:
        """The new state, and the step, element by element."""
        raise NotImplementedError

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: dict[str, Any], t: Any
    ) -> tuple[dict[str, Any], Any]:
        """The new state, and the step, of a rule that sees the whole array."""
        raise NotImplementedError

    def split(self) -> list[Piece]:
        """What is computed one after the other."""
        return [Piece(self)]


class Piece(NamedTuple):
    """A rule that is computed at once: element-wise in one program, or by itself."""

    rule: Mathematics
    elementwise: bool = True
    first: int | None = None
    """The place in a chain of its first rule; `None` if it is the whole rule."""
    length: int | None = None
    """How many rules of a chain it is; `None` if it is one by itself."""
