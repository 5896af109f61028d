"""A batch by NumPy: small parameters side by side in a few blocks, large ones by themselves."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from itertools import pairwise, repeat
from operator import attrgetter, is_, itemgetter
from typing import Any, NamedTuple

import numpy as np

from optshare.batches.reading import viewed
from optshare.batches.runner import Array, Destination, Members, Scalars
from optshare.kernels import numpy as kernel
from optshare.kernels import threads
from optshare.kernels.gathering import SMALL
from optshare.kernels.table import ALONE

BLOCK = 1 << 17
"""The most elements of small parameters side by side, which a core's cache holds."""


_shape, _dtype, _base = attrgetter("shape"), attrgetter("dtype"), attrgetter("base")
_is_writeable = attrgetter("flags.writeable")
_is_in_order = {True: attrgetter("flags.c_contiguous"), False: attrgetter("flags.f_contiguous")}
"""By whether the state is in the order of C; else it is in Fortran's."""


class Block(NamedTuple):
    """Small parameters side by side, which have one set of constants."""

    pick: Callable[[list[Array]], tuple[Array, ...]]
    """Gives those of a list that are theirs."""
    value: Array
    """Room for the values."""
    parts: list[Array]
    """That of each of them."""
    gradient: Array
    """Room for the gradients."""
    state: dict[str, Array]
    """Of all of them, in arrays of one dimension."""
    given: int
    """The set of constants."""


class Blocked:
    """Runs a batch without compiled code."""

    def __init__(self, members: Members) -> None:
        self._members = members._replace(stored=[], values=[], gradients=[])  # examples only
        self._sizes = [each.size for each in members.values]
        self._dense = [each.flags.c_contiguous for each in members.values]
        self._working = np.dtype(members.types.working)
        self._shapes = [each.shape for each in members.values]
        self._dtype = np.dtype(members.types.gradient)
        self._kinds = set(map(type, members.gradients))
        self._known: list[Any] = []
        self._written = set[int]()
        self._values: list[Array] = []
        self._last: list[Array] = []
        self._gradients: list[Array] = []
        self._small: list[Block] = []
        self._large: list[tuple[int, int]] = []

    def share(self, sets: Sequence[int]) -> None:
        """Put the state of small parameters that have one set of constants side by side."""
        sizes = self._sizes
        found = [at for at, dense in enumerate(self._dense) if dense and sizes[at] <= SMALL]
        groups = [[p for p in found if sets[p] == each] for each in sorted(set(sets))]
        runs = [run for group in groups for run in self._runs(group) if len(run) > 1]
        largest = max((sum(sizes[p] for p in run) for run in runs), default=0)
        room = np.empty(largest, self._members.types.value), np.empty(largest, self._dtype)
        self._small = [self._block(run, sets[run[0]], *room) for run in runs]
        blocked = {place for run in runs for place in run}
        self._large = [(p, its) for p, its in enumerate(sets) if p not in blocked]

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

    def _block(self, places: list[int], given: int, value: Array, gradient: Array) -> Block:
        ends = np.cumsum([self._sizes[place] for place in places]).tolist()
        cuts = [slice(first, last) for first, last in pairwise([0, *ends])]
        shapes = [self._shapes[place] for place in places]
        state = {name: np.empty(ends[-1], self._working) for name in self._members.program.results}
        for place, cut, shape in zip(places, cuts, shapes, strict=True):
            held = self._members.states[place]
            for name, flat in state.items():
                own = flat[cut].reshape(shape)
                np.copyto(own, held[name])
                held[name] = own
        parts = [value[cut].reshape(shape) for cut, shape in zip(cuts, shapes, strict=True)]
        room = value[: ends[-1]], parts, gradient[: ends[-1]]
        return Block(itemgetter(*places), *room, state, given)

    def takes(self, stored: list[Any], gradients: list[Any], *, are_last: bool = False) -> bool:
        """Whether arrays are like the batch's, and no gradient is to be written."""
        seam = self._members.seam
        if not self._kinds.issuperset(map(type, gradients)):
            return False
        values = self._last if are_last else viewed(seam, stored)
        found = viewed(seam, gradients)
        if values is None or found is None or not self._are_known(values, stored):
            return False
        self._values, self._gradients = values, found
        return (
            list(map(_shape, found)) == self._shapes
            and set(map(_dtype, found)) == {self._dtype}
            and self._are_in_order(values)
            and self._are_in_order(found)
            and (self._members.types.fresh or self._may_be_written(gradients))
        )

    def _are_known(self, values: list[Array], stored: list[Any]) -> bool:
        """Whether the values are laid out like those of the batch; mostly they are the same."""
        known = [reference() for reference in self._known]
        if len(known) == len(values) and all(map(is_, known, values)):
            return True
        self._known = list(map(weakref.ref, values))
        self._written = set(map(self._members.seam.memory, stored))
        if len(self._written) < len(values) and _overlap(values):
            self._known = []
            return False
        fits = list(map(_shape, values)) == self._shapes
        return fits and set(map(_dtype, values)) == {np.dtype(self._members.types.value)}

    def _are_in_order(self, arrays: list[Array]) -> bool:
        """Whether the elements of large arrays follow each other as those of the state do."""
        return all(_is_in_order[self._dense[place]](arrays[place]) for place, _ in self._large)

    def _may_be_written(self, gradients: list[Any]) -> bool:
        """Whether the values let themselves be written, and none is a gradient's memory."""
        if not all(map(_is_writeable, self._values)):
            return False
        owning = self._kinds == {np.ndarray} and all(map(is_, map(_base, gradients), repeat(None)))
        found = map(id if owning else self._members.seam.memory, gradients)
        return self._written.isdisjoint(found)

    def into(self, destination: Destination, memory: list[Array]) -> None:
        """Let the next run write new values there."""
        new = destination.views(memory)
        for each, old in zip(new, self._values, strict=True):
            np.copyto(each, old)
        self._values = self._last = new

    def is_finite(self) -> bool:
        """Whether every element of every gradient is finite."""
        for block in self._small:
            _gather(block.pick(self._gradients), block.gradient)
            if not _is_finite(block.gradient):
                return False
        return all(
            _is_finite(flat)
            for place, _ in self._large
            for flat in kernel.flat_pieces(self._gradients[place])
        )

    def run(self, scalars: Sequence[Scalars], scale: float) -> None:
        """Update the parameters."""
        for block in self._small:
            values = block.pick(self._values)
            _gather(values, block.value)
            _gather(block.pick(self._gradients), block.gradient)
            given = scalars[block.given]
            self._apply(block.value, block.gradient, block.state, given, scale)
            for value, part in zip(values, block.parts, strict=True):
                value[...] = part
        size = sum(self._sizes[place] for place, _ in self._large)
        parts = max(1, min(threads.count(), size // ALONE))
        threads.spread(self._run, [(part, parts, scalars, scale) for part in range(parts)])
        self._values, self._gradients = [], []

    def _run(self, part: int, parts: int, scalars: Sequence[Scalars], scale: float) -> None:
        """Update one of so many equal parts of each large parameter."""
        with np.errstate(all="ignore"):
            for place, given in self._large:
                size = self._sizes[place]
                cut = slice(size * part // parts, size * (part + 1) // parts)
                state = self._members.states[place]
                own = {name: flat(each)[cut] for name, each in state.items()}
                value, gradient = self._values[place], self._gradients[place]
                its = flat(value)[cut], flat(gradient)[cut], own, scalars[given]
                self._apply(*its, scale)

    def _apply(
        self, value: Array, gradient: Array, state: dict[str, Array], scalars: Scalars, scale: float
    ) -> None:
        given = value, gradient, state, scalars, self._working
        kernel.apply(self._members.program, *given, scale)


def _gather(arrays: Sequence[Array], flat: Array) -> None:
    np.concatenate(arrays, axis=None, out=flat)


def flat(array: Array) -> Array:
    """The elements of an array in the order of its memory, without a copy.

    >>> flat(np.array([[1, 2], [3, 4]], order="F")).tolist()
    [1, 3, 2, 4]
    """
    return (array if array.flags.c_contiguous else array.T).reshape(-1)


def _overlap(arrays: list[Array]) -> bool:
    """Whether the memory of one array ends behind the beginning of another one's."""
    bounds = sorted(map(np.lib.array_utils.byte_bounds, arrays))
    return any(end > start for (_, end), (start, _) in pairwise(bounds))


def _is_finite(flat: Array) -> bool:
    library: Any = np
    return math.isfinite(library.vdot(flat, flat)) or bool(np.isfinite(flat).all())
