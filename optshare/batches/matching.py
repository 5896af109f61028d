"""Which batch a parameter is in."""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from optshare import registry
from optshare.batches.batch import Batch, Member, members_of, view_of
from optshare.batches.blocked import Blocked
from optshare.batches.compiled import Compiled
from optshare.batches.device import OnDevice
from optshare.batches.fresh import Fresh
from optshare.batches.reading import viewed
from optshare.dtypes import dtype_name, working_dtype
from optshare.kernels import host
from optshare.kernels.host import Types
from optshare.kernels.program import Program, program_of
from optshare.kernels.stages import Stage
from optshare.paired import Paired
from optshare.state import IdentityStore

FEWEST = 1 << 15
"""The fewest elements in all, or the fewest parameters times 256, worth a compiled kernel."""
EACH = 1 << 8
HOST = "host"


class Kind(NamedTuple):
    """What the parameters of a batch have in common."""

    backend: int
    place: Any
    """The memory: `"host"`, or the number of a CUDA device."""
    program: Program
    types: Types


class Ready(NamedTuple):
    """A batch whose gradients fit."""

    batch: Batch
    gradients: list[Any]


class Batches:
    """The batches of an optimizer; a copy, or what is unpickled, has none at first."""

    def __init__(self) -> None:
        self._store: IdentityStore | None = None
        self._of: dict[int, tuple[Kind, Batch]] = {}
        self._refused: set[int] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return Batches, ()

    def taken(self, store: IdentityStore, pairs: Paired) -> tuple[list[Ready], Paired]:
        """The batches that are ready for their gradients, and the pairs that are in none.

        Args:
            store: the states; for another store than the last one there are no batches yet.
            pairs: the parameters that have a gradient and are not frozen.
        """
        if self._store is not store:
            self._store, self._of = store, {}
            self._refused.clear()
        whole = self._whole(pairs)
        found = [whole] if whole else self._complete(pairs)
        ready = [each for each in found if each.batch.takes(each.gradients)]
        if len(ready) > 1:
            ready = _apart(ready)
        if len(ready) == len(found) and whole:
            return ready, Paired([], [])
        taken = {id(key) for each in ready for key in each.batch.keys}
        return ready, Paired.of(pair for pair in pairs if id(pair[0]) not in taken)

    def _whole(self, pairs: Paired) -> Ready | None:
        """The one batch of all these parameters."""
        known = self._of.get(id(pairs.keys[0])) if pairs.keys else None
        if known is None or len(known[1].keys) != len(pairs):
            return None
        same = all(map(is_, pairs.keys, known[1].keys))
        return Ready(known[1], pairs.gradients) if same else None

    def _complete(self, pairs: Paired) -> list[Ready]:
        """The batches all of whose parameters are here, in their order; one of each kind."""
        parts: dict[int, tuple[Kind, Batch, list[tuple[Any, Any]]]] = {}
        for pair in pairs:
            known = self._of.get(id(pair[0]))
            if known is not None:
                parts.setdefault(id(known[1]), (*known, []))[2].append(pair)
        kinds = [kind for kind, _, _ in parts.values()]
        return [
            Ready(batch, [gradient for _, gradient in its])
            for kind, batch, its in parts.values()
            if kinds.count(kind) == 1
            and len(its) == len(batch.keys)
            and all(map(is_, (key for key, _ in its), batch.keys))
        ]

    def learn(self, members: Iterable[Member], gradients: dict[int, Any]) -> None:
        """Make batches of parameters that have had their first update.

        Args:
            members: each by itself.
            gradients: as they were given, by the id of the parameter.
        """
        kinds: dict[Kind, list[Member]] = {}
        for each in members:
            place = id(each.job.key)
            if place not in self._refused and _is_own(each, gradients.get(place)):
                kind = _kind(each, gradients[place])
                if kind is not None:
                    kinds.setdefault(kind, []).append(each)
        for kind, alike in kinds.items():
            given = [gradients[id(each.job.key)] for each in alike]
            batch = _batch(kind, alike, given)
            keys = [id(each.job.key) for each in alike]
            if batch.takes(given):
                self._of.update(dict.fromkeys(keys, (kind, batch)))
            else:
                self._refused.update(keys)


def _apart(ready: list[Ready]) -> list[Ready]:
    """The batches none of whose gradients is the memory of a parameter about to be written."""
    written = set[int]().union(*(each.batch.memories() for each in ready))
    return [
        each for each in ready if written.isdisjoint(map(each.batch.seam.memory, each.gradients))
    ]


def _batch(kind: Kind, members: list[Member], gradients: list[Any]) -> Batch:
    told = members_of(members, kind.program, kind.types, gradients)
    size = sum(max(each.size, EACH) for each in told.values)
    if kind.place != HOST:
        runner = OnDevice(told)
    else:
        runner = Compiled(told) if size >= FEWEST and host.is_usable() else Blocked(told)
        if kind.types.fresh:
            runner = Fresh(told, runner)
    return Batch(members, kind.program, runner, told.states)


def _is_own(member: Member, gradient: Any) -> bool:
    """Whether a gradient is an array of the parameter's engine."""
    return member.job.backend.name in registry.claimants(gradient.__class__)


def _kind(member: Member, given: Any) -> Kind | None:
    """What a parameter has in common with others; `None` if it is updated by itself.

    What counts is its gradient as it is given: transforms may have made another one of it.
    """
    job, state = member
    gradient = (viewed(job.seam, [given]) or [None])[0]
    pieces, value = state.rule.split(), view_of(job)
    if value is None or state.master is not None or len(pieces) != 1:
        return None
    if job.view is None and not job.in_place:
        return None
    gradient = job.gradient if job.view is not None else job.seam.device_view(job.gradient)
    states = list(state.arrays.values())
    if job.view is None:
        states = [job.seam.device_view(each) for each in states]
    if not pieces[0].elementwise or not _are_alike([value, gradient, *states]):
        return None
    if not (job.in_place or value.flags.c_contiguous):
        return None
    if set(Stage(pieces[0]).own(dict(state.arrays))) != set(state.arrays):
        return None
    working = np.dtype(working_dtype(value, np)).name
    own = dtype_name(value.dtype), dtype_name(gradient.dtype)
    types = Types(*own, working, fresh=not job.in_place)
    place = HOST if job.view is not None else value.device.id
    return Kind(id(job.backend), place, program_of(pieces[0].rule), types)


def _are_alike(arrays: list[Any]) -> bool:
    """Whether arrays of real numbers have their elements in one order, without gaps."""
    real = all(each is not None and each.dtype.name in host.DTYPES for each in arrays)
    flags = [each.flags for each in arrays]
    return real and (all(f.c_contiguous for f in flags) or all(f.f_contiguous for f in flags))
