"""A batch by NumPy: small parameters side by side in a few blocks, large ones by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from optshare.batches.reading import viewed
from optshare.batches.runner import Array, Destination, Members, Scalars
from optshare.kernels import numpy as kernel

SMALL = 1 << 14
"""The most elements of a parameter that is worth a copy: calling NumPy costs more than copying."""
BLOCK = 1 << 17
"""The most elements of small parameters side by side, which a core's cache holds."""


class Block(NamedTuple):
    """Small parameters side by side, which have one set of constants."""

    places: list[int]
    cuts: list[slice]
    """Where each of them is."""
    size: int
    state: dict[str, Array]
    """Of all of them, in arrays of one dimension."""
    given: int
    """The set of constants."""


class Blocked:
    """Runs a batch in place, without compiled code."""

    def __init__(self, members: Members) -> None:
        self._members = members._replace(stored=[], gradients=[], values=[])
        self._sizes = [each.size for each in members.values]
        self._dense = [each.flags.c_contiguous for each in members.values]
        self._working = np.dtype(members.types.working)
        self._shapes = [each.shape for each in members.values]
        self._dtype = np.dtype(members.types.gradient)
        self._values: list[Array] = []
        self._gradients: list[Array] = []
        self._small: list[Block] = []
        self._large: list[tuple[int, int]] = []

    def share(self, sets: Sequence[int]) -> None:
        """Put the state of small parameters that have one set of constants side by side."""
        small = [
            size <= SMALL and dense for size, dense in zip(self._sizes, self._dense, strict=True)
        ]
        found = [place for place, is_small in enumerate(small) if is_small]
        groups = [[p for p in found if sets[p] == each] for each in sorted(set(sets))]
        runs = [run for group in groups for run in self._runs(group) if len(run) > 1]
        self._small = [self._block(run, sets[run[0]]) for run in runs]
        blocked = {place for run in runs for place in run}
        self._large = [(p, its) for p, its in enumerate(sets) if p not in blocked]
        largest = max((each.size for each in self._small), default=0)
        self._flat = np.empty(largest, self._members.types.value), np.empty(largest, self._dtype)

    def _runs(self, places: list[int]) -> list[list[int]]:
        """Parameters that fill a block, and those that fill the next one."""
        found: list[list[int]] = []
        room = 0
        for place in places:
            size = self._sizes[place]
            if size > room or not found:
                found.append([])
                room = BLOCK
            found[-1].append(place)
            room -= size
        return found

    def _block(self, places: list[int], given: int) -> Block:
        ends = np.cumsum([self._sizes[place] for place in places]).tolist()
        cuts = [slice(first, last) for first, last in zip([0, *ends], ends, strict=False)]
        names = self._members.program.results
        state = {name: np.empty(ends[-1], self._working) for name in names}
        for place, cut in zip(places, cuts, strict=True):
            for name, flat in state.items():
                held = self._members.states[place]
                own = flat[cut].reshape(held[name].shape)
                np.copyto(own, held[name])
                held[name] = own
        return Block(places, cuts, ends[-1], state, given)

    def takes(self, stored: list[Any], gradients: list[Any]) -> bool:
        """Whether arrays are like the batch's, and no gradient is to be written."""
        seam = self._members.seam
        values, found = viewed(seam, stored), viewed(seam, gradients)
        if values is None or found is None:
            return False
        fits = (
            [each.shape for each in values] == self._shapes
            and [each.shape for each in found] == self._shapes
            and {each.dtype for each in found} == {self._dtype}
            and {each.dtype for each in values} == {np.dtype(self._members.types.value)}
        )
        if fits and not self._members.types.fresh:
            fits = all(each.flags.writeable for each in values) and set(
                map(seam.memory, values)
            ).isdisjoint(map(seam.memory, found))
        self._values, self._gradients = values, found
        return fits

    def into(self, destination: Destination, memory: list[Array]) -> None:
        """Let the next run write new values there."""
        new = destination.views(memory)
        for each, old in zip(new, self._values, strict=True):
            np.copyto(each, old)
        self._values = new

    def is_finite(self) -> bool:
        """Whether every element of every gradient is finite."""
        for block in self._small:
            flat = self._flat[1][: block.size]
            self._gathered(block, self._gradients, flat)
            if not _is_finite(flat):
                return False
        return all(
            _is_finite(flat)
            for place, _ in self._large
            for flat in kernel.flat_pieces(self._gradients[place])
        )

    def run(self, scalars: Sequence[Scalars], scale: float) -> None:
        """Update the parameters."""
        for block in self._small:
            value, gradient = (each[: block.size] for each in self._flat)
            self._gathered(block, self._values, value)
            self._gathered(block, self._gradients, gradient)
            self._apply(value, gradient, block.state, scalars[block.given], scale)
            for place, cut in zip(block.places, block.cuts, strict=True):
                own = self._values[place]
                own[...] = value[cut].reshape(own.shape)
        for place, given in self._large:
            state = self._members.states[place]
            self._apply(self._values[place], self._gradients[place], state, scalars[given], scale)
        self._values, self._gradients = [], []

    def _apply(
        self, value: Array, gradient: Array, state: dict[str, Array], scalars: Scalars, scale: float
    ) -> None:
        given = value, gradient, state, scalars, self._working
        kernel.apply(self._members.program, *given, scale)

    @staticmethod
    def _gathered(block: Block, arrays: list[Array], flat: Array) -> None:
        np.concatenate([arrays[place] for place in block.places], axis=None, out=flat)


def _is_finite(flat: Array) -> bool:
    library: Any = np
    return math.isfinite(library.vdot(flat, flat)) or bool(np.isfinite(flat).all())
