"""A batch whose arrays stay as they are: the new values go to new memory, which is adopted.

A large array has memory of its own. Small ones lie side by side in one piece of memory, for
adopting an array costs as much as updating some ten thousand elements.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from itertools import accumulate
from operator import is_
from typing import Any

import numpy as np

from optshare.backend import Part
from optshare.batches.runner import Array, InPlace, Members, Scalars
from optshare.kernels.memory import ALIGNMENT, Pool
from optshare.kernels.table import Integers

SMALL = 1 << 14
"""The most elements of an array that lies beside others."""


class Layout:
    """Where the new value of each array goes, in a few pieces of memory.

    Args:
        arrays: examples, of one dtype.

    >>> layout = Layout([np.zeros(20_000), np.zeros((2, 3)), np.zeros(1)])
    >>> layout.sizes
    [72, 160000]
    >>> layout.parts
    [Part(first=0, shape=(2, 3)), Part(first=8, shape=(1,))]
    """

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.dtype = arrays[0].dtype
        self._shapes = [each.shape for each in arrays]
        self._small = [at for at, each in enumerate(arrays) if each.size <= SMALL]
        self._large = [at for at, each in enumerate(arrays) if each.size > SMALL]
        widths = [arrays[at].nbytes for at in self._small]
        starts = [0, *accumulate(-(-width // ALIGNMENT) * ALIGNMENT for width in widths)]
        flat = starts[-2] + widths[-1] if widths else 0
        self.sizes = [flat, *(arrays[at].nbytes for at in self._large)]
        """In bytes: of the small arrays together, then of each large one."""
        self.parts = [
            Part(start // self.dtype.itemsize, self._shapes[at])
            for at, start in zip(self._small, starts, strict=False)
        ]
        """Where each small array is."""
        self._piece = np.zeros(len(arrays), np.int64)
        self._piece[self._large] = range(1, len(self.sizes))
        self._offsets = np.zeros(len(arrays), np.int64)
        self._offsets[self._small] = starts[:-1]

    def addresses(self, memory: list[Array]) -> Integers:
        """The address of each array's new value."""
        firsts = np.array([each.ctypes.data for each in memory], np.int64)
        return firsts[self._piece] + self._offsets

    def views(self, memory: list[Array]) -> list[Array]:
        """The memory of each array's new value."""
        flat, *large = self._shaped(memory)
        return self._ordered([each.cut(flat) for each in self.parts], large)

    def adopted(self, seam: Any, memory: list[Array]) -> list[Any]:
        """The engine's arrays over the memory."""
        flat, *large = self._shaped(memory)
        small: list[Any] = seam.adopt_parts(flat, self.parts) if self.parts else []
        return self._ordered(small, list(map(seam.adopt, large)))

    def _shaped(self, memory: list[Array]) -> list[Array]:
        """The flat array of the small ones, and the large ones."""
        flat, *large = (each.view(self.dtype) for each in memory)
        shapes = (self._shapes[at] for at in self._large)
        return [flat, *(each.reshape(shape) for each, shape in zip(large, shapes, strict=True))]

    def _ordered(self, small: Sequence[Any], large: Sequence[Any]) -> list[Any]:
        found: list[Any] = [None] * len(self._shapes)
        for at, each in zip([*self._small, *self._large], [*small, *large], strict=True):
            found[at] = each
        return found


class Fresh:
    """Runs a batch by a kernel that can write elsewhere.

    Args:
        members: the parameters.
        runner: the kernel.
    """

    def __init__(self, members: Members, runner: InPlace) -> None:
        self._seam = members.seam
        self._layout = Layout(members.values)
        self._pool = Pool()
        self._runner = runner
        self._given = list[weakref.ref[Any]]()
        self._flat: Array | None = None

    def share(self, sets: Sequence[int]) -> None:
        """Take note of the set of constants of each parameter."""
        self._runner.share(sets)

    def takes(self, stored: list[Any], gradients: list[Any]) -> bool:
        """Whether arrays are laid out as the kernel expects."""
        given = [reference() for reference in self._given]
        same = len(given) == len(stored) and all(map(is_, given, stored))
        are_last = same and not self._seam.any_deleted(stored)
        return self._runner.takes(stored, gradients, are_last=are_last)

    def is_finite(self) -> bool:
        """Whether every element of every gradient is finite."""
        return self._runner.is_finite()

    def run(self, scalars: Sequence[Scalars], scale: float) -> list[Any]:
        """The new values, as the engine's arrays."""
        memory = self._pool.taken(self._layout.sizes)
        self._runner.into(self._layout, memory)
        self._runner.run(scalars, scale)
        adopted = self._layout.adopted(self._seam, memory)
        self._given, self._flat = list(map(weakref.ref, adopted)), memory[0]
        return adopted
