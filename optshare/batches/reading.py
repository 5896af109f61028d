"""Finding the memory of many arrays at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from operator import is_
from typing import Any

import numpy as np

from optshare.backend import Addressing, Seam
from optshare.kernels import host
from optshare.kernels.table import Integers

Reader = Callable[[list[Any]], Integers | None]
Remember = Callable[[list[Any]], Callable[[], list[Any]]]


def reading(seam: Seam, arrays: list[Any], *, writeable: bool = False) -> Reader:
    """A function that gives the addresses of arrays, or `None` if they are not like these.

    Args:
        seam: how the engine's arrays are seen as NumPy's.
        arrays: examples.
        writeable: whether the arrays are to be written into.
    """
    own = seam.addressing(arrays)
    if own is not None:
        return _Lasting(own, _strongly if writeable else _weakly)
    read = host.addresses_like(viewed(seam, arrays) or [], writeable=writeable)
    kinds = set(map(type, arrays))

    def addresses(others: list[Any]) -> Integers | None:
        found = read(others)
        if found is not None or not kinds.issuperset(map(type, others)):
            return found
        seen = viewed(seam, others)
        return None if seen is None or seen is others else read(seen)

    return addresses


def viewed(seam: Seam, arrays: list[Any]) -> list[Any] | None:
    """The memory of arrays as NumPy's; `None` if one cannot be seen so."""
    if set(map(type, arrays)) == {np.ndarray}:
        return arrays
    found = [seam.host_view(each) for each in arrays]
    return None if any(each is None for each in found) else found


class _Lasting:
    """A reader of arrays that often are the same objects as the last time.

    Args:
        own: the engine's own way.
        remember: makes of arrays a function that gives them again.
    """

    def __init__(self, own: Addressing, remember: Remember) -> None:
        self._full, self._again = own.full, own.again
        self._remember = remember
        self._known: Callable[[], list[Any]] = list
        self._found: Integers | None = None

    def __call__(self, arrays: list[Any]) -> Integers | None:
        if self._found is not None and _are_same(arrays, self._known()):
            now = self._again(arrays)
            if now is not None and (now == self._found).all():
                return self._found
        self._found = self._full(arrays)
        self._known = self._remember(arrays)
        return self._found


def _are_same(arrays: list[Any], others: list[Any]) -> bool:
    return len(arrays) == len(others) and all(map(is_, arrays, others))


def _strongly(arrays: list[Any]) -> Callable[[], list[Any]]:
    return lambda: arrays


def _weakly(arrays: list[Any]) -> Callable[[], list[Any]]:
    """Remembers arrays without keeping them alive."""
    references = list(map(weakref.ref, arrays))
    return lambda: [reference() for reference in references]
