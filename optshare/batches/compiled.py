"""A batch by the host kernel: one call over a table of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optshare.batches.reading import reading
from optshare.batches.runner import Array, Destination, Members, Scalars
from optshare.kernels import host, threads
from optshare.kernels.table import Integers, rows_of, shares

VALUE, MOVED, GRADIENT = range(host.FIXED)
_BEYOND = np.iinfo(np.int64).max


class Compiled:
    """Runs a batch in compiled code."""

    def __init__(self, members: Members) -> None:
        self._kernel = host.kernel(members.program, members.types, members.title)
        self._gradient_dtype = members.types.gradient
        self._working = np.dtype(members.types.working)
        self._sizes = [each.size for each in members.values]
        self._bytes = np.array(self._sizes) * host.DTYPES[members.types.gradient]
        self._is_fresh = members.types.fresh
        self._values = reading(members.seam, members.stored, writeable=not self._is_fresh)
        self._gradients = reading(members.seam, members.gradients)
        self._addresses = np.zeros((len(self._sizes), host.FIXED + len(self.names)), np.int64)
        for column, name in enumerate(self.names, host.FIXED):
            self._addresses[:, column] = [host.address(each[name]) for each in members.states]
        self._widths = np.array([each.nbytes for each in members.values])
        self._sorted = np.empty(0, np.int64)
        self._held: list[Any] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The state arrays, in the order of their columns."""
        return self._kernel.element.states

    def share(self, sets: Sequence[int]) -> None:
        """Take note of the set of constants of each parameter."""
        self._rows = rows_of(self._sizes, sets)

    def takes(self, stored: list[Any], gradients: list[Any], *, are_last: bool = False) -> bool:
        """Whether arrays are laid out as the kernel expects, and no gradient is to be written."""
        values = self._addresses[:, MOVED].copy() if are_last else self._values(stored)
        found = None if values is None else self._gradients(gradients)
        if values is None or found is None:
            return False
        if not self._is_fresh and self._meet(values, found):
            return False
        self._addresses[:, VALUE] = values
        self._addresses[:, GRADIENT] = found
        self._held = [stored, gradients]
        return True

    def into(self, destination: Destination, memory: list[Array]) -> None:
        """Let the next run write new values there."""
        self._addresses[:, MOVED] = destination.addresses(memory)

    def _meet(self, values: Integers, gradients: Integers) -> bool:
        """Whether a value shares memory with another one, or with a gradient."""
        if not np.array_equal(values, self._sorted):
            order = np.argsort(values)
            order = order[self._widths[order] > 0]
            starts = values[order]
            self._ends = starts + self._widths[order]
            self._sorted, self._starts = values.copy(), np.append(starts, _BEYOND)
        if (self._ends > self._starts[1:]).any():
            return True
        behind = self._starts[np.searchsorted(self._ends, gradients, side="right")]
        return bool(((behind < gradients + self._bytes) & (self._bytes > 0)).any())

    def is_finite(self) -> bool:
        """Whether every element of every gradient is finite."""
        check, found = host.checking(self._gradient_dtype), list[bool]()
        last = len(self._rows)

        def look(first: int, last: int) -> None:
            found.append(check(self._addresses, self._rows, first, last, GRADIENT))

        threads.spread(look, shares(self._rows, threads.count()) if last else [])
        return all(found)

    def run(self, scalars: Sequence[Scalars], scale: float) -> None:
        """Update the parameters."""
        element = self._kernel.element
        constants = np.array([element.numbers(each, scale, self._working) for each in scalars])
        table = self._addresses, self._rows

        def work(first: int, last: int) -> None:
            self._kernel.run(*table, first, last, constants)

        threads.spread(work, shares(self._rows, threads.count()))
        self._held = []
