"""What a batch asks of its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from optshare.backend import Seam
from optshare.kernels.host import Types
from optshare.kernels.program import Program
from optshare.kernels.table import Integers

Array = Any
Scalars = dict[str, float]


class Members(NamedTuple):
    """The parameters of a batch, each at one place of every list."""

    seam: Seam
    program: Program
    types: Types
    title: str
    """What the kernel is called."""
    stored: list[Any]
    """The engine's arrays."""
    values: list[Array]
    """The same memory as NumPy's."""
    gradients: list[Any]
    """Examples."""
    states: list[dict[str, Array]]


class Runner(Protocol):
    """A kernel with the addresses, or the slices, of a batch's arrays."""

    def share(self, sets: Sequence[int]) -> None:
        """Take note of the set of constants of each parameter."""
        ...

    def takes(self, stored: list[Any], gradients: list[Any]) -> bool:
        """Whether arrays are laid out as the kernel expects; the next calls are for them."""
        ...

    def is_finite(self) -> bool:
        """Whether every element of every gradient is finite."""
        ...

    def run(self, scalars: Sequence[Scalars], scale: float) -> list[Any] | None:
        """Update the parameters, with the scalars of each set.

        Gives the new arrays where the old ones stay as they are.
        """
        ...


class Destination(Protocol):
    """Where new values go that are not written in place of the old ones."""

    def addresses(self, memory: list[Array]) -> Integers:
        """The address of each new value."""
        ...

    def views(self, memory: list[Array]) -> list[Array]:
        """The memory of each new value."""
        ...


class InPlace(Runner, Protocol):
    """A kernel that writes in place; or elsewhere, where the types of its members say so."""

    def takes(self, stored: list[Any], gradients: list[Any], *, are_last: bool = False) -> bool:
        """Whether arrays are laid out as the kernel expects; the next calls are for them.

        `are_last` says that the values are those that it wrote last, which still are there.
        """
        ...

    def into(self, destination: Destination, memory: list[Array]) -> None:
        """Let the next run write new values there."""
        ...
