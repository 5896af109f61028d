"""Freezing: parameters that differentiation and updates leave out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from optshare.errors import EmptyModelError
from optshare.parameter import Parameter
from optshare.slots import Slot
from optshare.tree import leaves


def freeze(part: Any) -> None:
    """Leave every parameter of a part out of differentiation and updates, until `thaw`.

    A frozen parameter keeps its value, its optimizer state and its step count.

    >>> p = Parameter([1.])
    >>> freeze([p])
    >>> p.frozen
    True
    """
    _mark(part, True)


def thaw(part: Any) -> None:
    """Let every parameter of a part train again.

    >>> p = Parameter([1.])
    >>> freeze([p]); thaw([p])
    >>> p.frozen
    False
    """
    _mark(part, False)


@contextmanager
def frozen(part: Any) -> Generator[None]:
    """A `with` in which a part is frozen; afterwards each parameter is what it was before.

    >>> p = Parameter([1.])
    >>> with frozen([p]):
    ...     p.frozen
    True
    >>> p.frozen
    False
    """
    before = [(each, each.frozen) for each in _markable(part)]
    freeze(part)
    try:
        yield
    finally:
        for parameter, was in before:
            parameter.frozen = was


def _mark(part: Any, frozen: bool) -> None:
    for parameter in _markable(part):
        parameter.frozen = frozen


def _markable(part: Any) -> list[Parameter]:
    """The parameters of a part, which can be frozen; each once."""
    held = (leaf for _, leaf in leaves(part) if isinstance(leaf, Parameter))
    found = list({id(leaf): leaf for leaf in held}.values())
    if not found or any(isinstance(leaf, Slot) for leaf in found):
        raise EmptyModelError(
            f"{type(part).__name__} holds no Parameter to freeze or thaw; arrays of a tree "
            f"have no such mark: give the optimizer the part that trains"
        )
    return found
