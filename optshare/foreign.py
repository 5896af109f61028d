"""What the lower modules ask about arrays and models that are not ours; a higher one answers."""

from __future__ import annotations

from typing import Any, Protocol

from optshare.orientation import Fans


class Foreign(Protocol):
    """Who knows the frameworks' own models and arrays."""

    def pairs(self, thing: Any) -> list[tuple[str, Any]] | None:
        """Pairs (path, box) of a framework's own model; `None` for anything else."""
        ...

    def buffers(self, thing: Any) -> list[tuple[str, Any]]:
        """Pairs (path, box) of what a framework's own model holds beside its parameters."""
        ...

    def fans(self, thing: Any) -> dict[str, Fans]:
        """The axes of the weights of a framework's own model, by path, where it knows them."""
        ...

    def rebuilt(self, thing: Any, values: dict[str, Any], *, keep: bool = True) -> Any:
        """A framework's own immutable model with other arrays at some paths.

        What is no parameter is kept, or else becomes `None`.
        """
        ...

    def is_immutable(self, array: Any) -> bool:
        """Whether an array cannot be written in place."""
        ...

    def outside(self, array: Any) -> Any:
        """What a Parameter of this array reads as where nothing is being differentiated."""
        ...

    def converted(self, data: Any, like: Any) -> Any:
        """Python numbers, or an array of NumPy's, as an array of the engine of another."""
        ...


_answering: list[Foreign] = []


def ask(foreign: Foreign) -> None:
    """Set who answers from now on."""
    _answering[:] = [foreign]


def foreign() -> Foreign:
    """Who answers."""
    return _answering[0]


def is_native(thing: Any) -> bool:
    """Whether something is a framework's own model or parameter."""
    return _answering[0].pairs(thing) is not None
