"""A rule as stages: pieces that see the whole array, and runs that one program computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from optshare.kernels.program import Program, program_of
from optshare.kernels.reference import cast, steps
from optshare.rules.array import ArrayRule
from optshare.rules.base import Arrays, Rule
from optshare.rules.chain import OptimizerChain, part

Split = list[tuple[Rule, int | None]]


def split(rule: Rule) -> Split:
    """The stages of a rule, each with its first piece's place in the chain; the last a run.

    >>> from optshare.rules import SGD
    >>> chain = OptimizerChain(SGD(), SGD(), ArrayRule())
    >>> [(type(rule).__name__, at) for rule, at in split(chain)]
    [('OptimizerChain', 0), ('ArrayRule', 2), ('OptimizerChain', 3)]
    """
    if isinstance(rule, OptimizerChain):
        found = _runs(rule)
    else:
        found: Split = [(rule, None)]
    if not found or isinstance(found[-1][0], ArrayRule):
        length = len(rule.pieces) if isinstance(rule, OptimizerChain) else 0
        found.append((OptimizerChain(), length))
    return found


def _runs(chain: OptimizerChain) -> Split:
    found: Split = []
    numbered = enumerate(chain.pieces)
    for whole, run in groupby(numbered, lambda each: isinstance(each[1], ArrayRule)):
        members = list(run)
        if whole:
            found += [(piece, at) for at, piece in members]
        else:
            found.append((OptimizerChain(*(piece for _, piece in members)), members[0][0]))
    return found


@dataclass(frozen=True)
class Stage:
    """A stage of a rule at one step of one parameter."""

    rule: Rule
    """With numbers in place of schedules."""
    first: int | None
    """The place of its first piece in the chain; `None` if it is the whole rule."""

    def own(self, state: Arrays) -> Arrays:
        """What of the whole rule's state is the stage's, by its own names."""
        if self.first is None:
            return state
        if not isinstance(self.rule, OptimizerChain):
            return part(state, self.first)
        found = ((at, part(state, self.first + at)) for at in range(len(self.rule.pieces)))
        return {f"{at}.{name}": each for at, own in found for name, each in own.items()}

    def whole(self, own: Mapping[str, Any]) -> Arrays:
        """The stage's state by the whole rule's names."""
        if self.first is None:
            return dict(own)
        if not isinstance(self.rule, OptimizerChain):
            return {f"{self.first}.{name}": each for name, each in own.items()}
        parted = ((name.partition("."), each) for name, each in own.items())
        return {f"{int(at) + self.first}.{name}": each for (at, _, name), each in parted}

    def through(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, working: Any
    ) -> tuple[Arrays, Any]:
        """The new state, by the whole rule's names, and the step, as fresh arrays.

        Args:
            ops: the array functions.
            value: the parameter's array.
            gradient: the step so far.
            state: the arrays of the whole rule.
            working: the dtype of the state.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Run(Stage):
    """Element-wise pieces that one program computes."""

    program: Program
    scalars: dict[str, float]
    """What the program reads."""

    def numbers(self) -> Arrays:
        """The new numbers of the state, by the whole rule's names."""
        return self.whole(self.program.kept(self.scalars))

    def through(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, working: Any
    ) -> tuple[Arrays, Any]:
        """The new state and the step."""
        given = self.own(state), self.scalars, working
        new, step = steps(self.program, ops, value, gradient, *given)
        return {**self.whole(new), **self.numbers()}, step


@dataclass(frozen=True)
class Whole(Stage):
    """A piece that sees the whole array."""

    rule: ArrayRule
    t: int
    scalars: dict[str, float]
    """The numbers of its state."""

    def through(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, working: Any
    ) -> tuple[Arrays, Any]:
        """The new state and the step."""
        value, gradient = cast(ops, value, working), cast(ops, gradient, working)
        given = {**self.own(state), **self.scalars}
        new, step = self.rule.array_step(ops, value, gradient, given, self.t)
        return self.whole(new), step


def staged(rule: Rule, now: Rule, t: int, scalars: dict[str, float]) -> tuple[list[Stage], Run]:
    """The stages of a rule at a step; the last one is element-wise.

    Args:
        rule: a schedule counts as not 0.
        now: the rule with numbers in place of schedules.
        t: how many updates the parameter has had, with this one.
        scalars: the numbers of its state.
    """
    pairs = zip(split(rule), split(now), strict=True)
    *head, last = [_stage(each, its_now, at, t, scalars) for (each, at), (its_now, _) in pairs]
    assert isinstance(last, Run)
    return head, last


def _stage(rule: Rule, now: Rule, first: int | None, t: int, scalars: dict[str, float]) -> Stage:
    kept = Stage(now, first).own(scalars)
    if isinstance(now, ArrayRule):
        return Whole(now, first, t, kept)
    program = program_of(rule)
    return Run(now, first, program, program.host(now, t, kept))
