"""Parameters that one kernel updates in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from optshare.batches.reading import viewed
from optshare.batches.runner import Members, Runner
from optshare.jobs import Job
from optshare.kernels.program import Program, program_of
from optshare.kernels.stages import staged
from optshare.progress import Progress
from optshare.rules.base import Rule
from optshare.rules.transform import Given
from optshare.state import ParameterState


class Member(NamedTuple):
    """A parameter with its state, after an update by itself."""

    job: Job
    state: ParameterState


class Shared(NamedTuple):
    """What parameters of one past and one rule share."""

    rule: Rule
    progress: Progress


class Batch:
    """Parameters of one engine, one dtype and one program, in the order of their gradients.

    Args:
        members: the parameters.
        program: what updates each of them.
        runner: the kernel, for these parameters in this order.
        arrays: the state of each, by name, in the arrays that the kernel knows.
    """

    def __init__(
        self,
        members: Sequence[Member],
        program: Program,
        runner: Runner,
        arrays: list[dict[str, Any]],
    ) -> None:
        self.keys = [each.job.key for each in members]
        self._paths = [each.job.site.path for each in members]
        self.seam = members[0].job.seam
        self._backend = members[0].job.backend
        self._states = [each.state for each in members]
        self._program = program
        self._runner = runner
        self._arrays = arrays
        self._stored: list[Any] = []
        self._given: list[Any] = []
        self._share()

    @property
    def step(self) -> int:
        """The optimizer's last step in which one of the parameters had its update."""
        return max(each.progress.step for each in self._shared)

    @property
    def rules(self) -> list[Rule]:
        """The different rules."""
        return [each.rule for each in self._shared]

    def takes(self, gradients: list[Any]) -> bool:
        """Whether gradients, one for each parameter, can be used as they are.

        If not, parameters or gradients are not what they were, and each has to be looked at.
        """
        if not all(each.progress.is_current for each in self._shared) and not self._renewed():
            return False
        self._stored = [key.stored for key in self.keys]
        return self._runner.takes(self._stored, gradients)

    def follows(self, gradients: list[Any]) -> bool:
        """Whether gradients that transforms made of those given can be used as they are."""
        if all(map(is_, self._given, gradients)):
            return True
        return self._runner.takes(self._stored, gradients)

    def given(self, gradients: list[Any]) -> list[Given]:
        """What transforms are given of the parameters."""
        ops: Any = np
        arrays: list[Any] = [viewed(self.seam, each) for each in (self._stored, gradients)]
        if None in arrays:
            ops = self._backend.ops
            arrays = [[ops.stop_gradient(x) for x in each] for each in (self._stored, gradients)]
        self._given = arrays[1]
        each = zip(self.keys, self._paths, *arrays, strict=True)
        return [Given(key, path, ops, value, gradient) for key, path, value, gradient in each]

    def is_finite(self) -> bool:
        """Whether every element of the gradients is finite."""
        return self._runner.is_finite()

    def memories(self) -> set[int]:
        """What arrays that share memory with a parameter have in common with it."""
        return set(map(self.seam.memory, self._stored))

    def update(self, rules: Mapping[int, Rule], step: int, scale: float) -> None:
        """Update all parameters and their states.

        Args:
            rules: each rule at this step, by the id of the rule with its schedules.
            step: the optimizer's step, from 0.
            scale: what gradients are multiplied by.
        """
        runs = [self._stage(*each, rules) for each in self._shared]
        self._note(self._runner.run([run.scalars for run in runs], scale))
        for (_, progress), run in zip(self._shared, runs, strict=True):
            progress.advance(step, run.numbers())
        self._stored, self._given = [], []

    def _note(self, new: list[Any] | None) -> None:
        """Let the parameters know of their new values, and hold them if they are other arrays."""
        if new is not None:
            for key, array in zip(self.keys, new, strict=True):
                self._backend.update(key, array)
            return
        self.seam.written(*self._stored)
        for key in self.keys:  # as key.replaced() does, at a third of the cost
            key.version += 1

    @staticmethod
    def _stage(rule: Rule, progress: Progress, rules: Mapping[int, Rule]) -> Any:
        _, run = staged(rule, rules[id(rule)], progress.t + 1, dict(progress.scalars))
        return run

    def _renewed(self) -> bool:
        """Whether the kernel is still the right one, for rules that may have other numbers."""
        for state, known in zip(self._states, self._arrays, strict=True):
            held = state.arrays
            if state.master is not None or set(held) != set(known):
                return False
            if any(held[name] is not array for name, array in known.items()):
                return False
            if state.begun is not state.rule:
                if program_of(state.rule.split()[0].rule) is not self._program:
                    return False
                state.begun = state.rule
        self._share()
        return True

    def _share(self) -> None:
        """Let parameters of one past and one rule have one progress."""
        marks = [(id(s.rule), s.t, s.step, *s.scalars.values()) for s in self._states]
        firsts = dict(zip(reversed(marks), reversed(self._states), strict=True))
        places = {mark: place for place, mark in enumerate(firsts)}
        self._shared = [
            Shared(each.rule, Progress(each.t, each.step, each.scalars)) for each in firsts.values()
        ]
        sets = [places[mark] for mark in marks]
        self._runner.share(sets)
        for state, its, place in zip(self._states, self._arrays, sets, strict=True):
            state.arrays = its
            state.progress = self._shared[place].progress


def members_of(members: Sequence[Member], program: Program, types: Any, gradients: Any) -> Members:
    """What a kernel is told of the parameters."""
    jobs = [each.job for each in members]
    return Members(
        seam=jobs[0].seam,
        program=program,
        types=types,
        title=members[0].state.rule.kind,
        stored=[each.key.stored for each in jobs],
        values=[view_of(each) for each in jobs],
        gradients=list(gradients),
        states=[dict(each.state.arrays) for each in members],
    )


def view_of(job: Job) -> Any:
    """A parameter's memory as an array of NumPy's or CuPy's; `None` if neither sees it."""
    if job.view is not None or not hasattr(job.seam, "device_view"):
        return job.view
    return job.seam.device_view(job.key.stored)
