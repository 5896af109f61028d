"""Parameters beside their gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from types import NoneType
from typing import Any

_frozen = attrgetter("frozen")


class Paired:
    """Parameters and their gradients, in two lists of one order.

    >>> from optshare.parameter import Parameter
    >>> v, w = Parameter([1.0]), Parameter([2.0])
    >>> list(Paired([v, w], [None, "its gradient"]).live())
    [(Parameter(array([2.])), 'its gradient')]
    """

    __slots__ = ("gradients", "keys")

    def __init__(self, keys: list[Any], gradients: list[Any]) -> None:
        self.keys = keys
        self.gradients = gradients
        """`None` where there is none."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[Any, Any]]) -> Paired:
        """The same of pairs (parameter, gradient)."""
        listed = list(pairs)
        return cls([key for key, _ in listed], [gradient for _, gradient in listed])

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return zip(self.keys, self.gradients, strict=True)

    def live(self) -> Paired:
        """Those that have a gradient and are not frozen; mostly all."""
        if NoneType not in set(map(type, self.gradients)) and not any(map(_frozen, self.keys)):
            return self
        return Paired.of(pair for pair in self if pair[1] is not None and not pair[0].frozen)
