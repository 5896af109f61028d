"""Memory that engines can adopt without a copy, and that is used again when they have let go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64
"""In bytes; what engines ask of memory that they share."""

Array = np.ndarray[Any, Any]


def aligned_copy(array: Array) -> Array:
    """A contiguous copy that begins at a multiple of `ALIGNMENT`.

    >>> aligned_copy(np.ones((2, 3))).ctypes.data % ALIGNMENT
    0
    """
    copy = _aligned(_owner(array.nbytes), array.nbytes).view(array.dtype).reshape(array.shape)
    np.copyto(copy, array)
    return copy


class Pool:
    """Aligned memory that is given out again when nobody else refers to it any more.

    Whoever adopts memory of NumPy's keeps a reference to the array that owns it: for as long as
    the number of these references says so, its numbers stay as they are. What is free and was
    not asked for again is let go of.

    >>> pool = Pool()
    >>> [first] = pool.taken([24]); [second] = pool.taken([24])
    >>> first.ctypes.data == second.ctypes.data
    False
    >>> place = first.ctypes.data; del first
    >>> pool.taken([24])[0].ctypes.data == place
    True
    """

    def __init__(self) -> None:
        self._owners: list[Array] = []

    def taken(self, sizes: Sequence[int]) -> list[Array]:
        """Memory of some sizes in bytes, each at a multiple of `ALIGNMENT`, with any numbers."""
        idle = [_references(self._owners, at) == _ALONE for at in range(len(self._owners))]
        free: dict[int, list[Array]] = {}
        for owner, is_idle in zip(self._owners, idle, strict=True):
            if is_idle:
                free.setdefault(owner.size, []).append(owner)
        busy = [each for each, is_idle in zip(self._owners, idle, strict=True) if not is_idle]
        taken = [_again(free, size) for size in sizes]
        self._owners = busy + taken
        return [_aligned(owner, size) for owner, size in zip(taken, sizes, strict=True)]


def _again(free: dict[int, list[Array]], size: int) -> Array:
    """What owns memory of a size in bytes: free, or else new."""
    found = free.get(size + ALIGNMENT)
    return found.pop() if found else _owner(size)


def _owner(size: int) -> Array:
    """What owns new memory, with room to begin at a multiple of `ALIGNMENT`."""
    return np.empty(size + ALIGNMENT, np.uint8)


def _aligned(owner: Array, size: int) -> Array:
    start = -owner.ctypes.data % ALIGNMENT
    return owner[start : start + size]


def _references(owners: list[Array], at: int) -> int:
    """How many references there are to an array of a list."""
    return sys.getrefcount(owners[at])


_ALONE = _references([np.empty(0, np.uint8)], 0)
"""The references to an array that nothing but one list refers to."""
