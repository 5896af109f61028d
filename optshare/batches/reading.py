"""Finding the memory of many arrays at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np

from optshare.backend import Seam
from optshare.kernels import host
from optshare.kernels.table import Integers

Reader = Callable[[list[Any]], Integers | None]


def reading(seam: Seam, arrays: list[Any], *, writeable: bool = False) -> Reader:
    """A function that gives the addresses of arrays, or `None` if they are not like these.

    Args:
        seam: how the engine's arrays are seen as NumPy's.
        arrays: examples.
        writeable: whether the arrays are to be written into.
    """
    own = seam.addressing(arrays)
    if own is not None:
        return _Lasting(own.full, own.again) if writeable else _integers(own.full)
    views = viewed(seam, arrays) or []
    read = host.addresses_like(views, writeable=writeable)
    return lambda others: None if (seen := viewed(seam, others)) is None else read(seen)


def viewed(seam: Seam, arrays: list[Any]) -> list[Any] | None:
    """The memory of arrays as NumPy's; `None` if one cannot be seen so."""
    if set(map(type, arrays)) == {np.ndarray}:
        return arrays
    found = [seam.host_view(each) for each in arrays]
    return None if any(each is None for each in found) else found


class _Lasting:
    """A reader of arrays that mostly are the same objects as the last time."""

    def __init__(self, full: Callable[..., Any], again: Callable[..., Any]) -> None:
        self._full = _integers(full)
        self._again = again
        self._arrays: list[Any] = []
        self._found: Integers | None = None

    def __call__(self, arrays: list[Any]) -> Integers | None:
        if len(arrays) == len(self._arrays) and all(map(is_, arrays, self._arrays)):
            now = np.array(self._again(arrays), np.int64)
            if self._found is not None and (now == self._found).all():
                return self._found
        self._arrays, self._found = arrays, self._full(arrays)
        return self._found


def _integers(read: Callable[[Sequence[Any]], Sequence[int] | None]) -> Reader:
    def addresses(arrays: list[Any]) -> Integers | None:
        found = read(arrays)
        return None if found is None else np.array(found, np.int64)

    return addresses
