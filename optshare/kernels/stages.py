"""A rule as stages: pieces that see the whole array, and runs that one program computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optshare.kernels.mathematics import Mathematics, Piece
from optshare.kernels.program import DESCENT, Program, program_of
from optshare.kernels.reference import cast, steps

Arrays = dict[str, Any]
Scalars = Callable[[Program, Mathematics, Any, Arrays], Arrays]
"""`(program, rule, t, kept)`: the scalars that a program reads."""


@dataclass(frozen=True)
class Stage:
    """A stage of a rule at one step of one parameter."""

    piece: Piece
    """With numbers in place of schedules."""

    def own(self, state: Arrays) -> Arrays:
        """What of the whole rule's state is the stage's, by its own names."""
        first, length = self.piece.first, self.piece.length
        if first is None:
            return state
        if length is None:
            return part(state, first)
        found = ((at, part(state, first + at)) for at in range(length))
        return {f"{at}.{name}": each for at, own in found for name, each in own.items()}

    def whole(self, own: Mapping[str, Any]) -> Arrays:
        """The stage's state by the whole rule's names."""
        first = self.piece.first
        if first is None:
            return dict(own)
        if self.piece.length is None:
            return {f"{first}.{name}": each for name, each in own.items()}
        parted = ((name.partition("."), each) for name, each in own.items())
        return {f"{int(at) + first}.{name}": each for (at, _, name), each in parted}

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
    scalars: Arrays
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

    t: Any
    scalars: Arrays
    """The numbers of its state."""

    def through(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, working: Any
    ) -> tuple[Arrays, Any]:
        """The new state and the step."""
        value, gradient = cast(ops, value, working), cast(ops, gradient, working)
        given = {**self.own(state), **self.scalars}
        new, step = self.piece.rule.array_step(ops, value, gradient, given, self.t)
        return self.whole(new), step


def on_host(program: Program, rule: Mathematics, t: int, kept: Arrays) -> Arrays:
    """The scalars that a program reads, in float64."""
    return program.host(rule, t, kept)


def staged(
    rule: Mathematics, now: Mathematics, t: Any, kept: Arrays, scalars: Scalars = on_host
) -> tuple[list[Stage], Run]:
    """The stages of a rule at a step; the last one is element-wise.

    Args:
        rule: a schedule counts as not 0.
        now: the rule with numbers in place of schedules.
        t: how many updates the parameter has had, with this one.
        kept: the numbers of its state.
        scalars: what computes the scalars of a program.
    """
    pairs = zip(rule.split(), now.split(), strict=True)
    found = [_stage(each.rule, its_now, t, kept, scalars) for each, its_now in pairs]
    if found and isinstance(found[-1], Run):
        return list(found[:-1]), found[-1]
    return list(found), Run(Piece(now, first=0, length=0), DESCENT, {})


def _stage(rule: Mathematics, now: Piece, t: Any, kept: Arrays, scalars: Scalars) -> Run | Whole:
    own = Stage(now).own(kept)
    if not now.elementwise:
        return Whole(now, t, own)
    program = program_of(rule)
    return Run(now, program, scalars(program, now.rule, t, own))


def part(state: Arrays, at: int) -> Arrays:
    """What of a chain's state belongs to a piece.

    >>> part({"0.buffer": 1, "10.buffer": 2}, 0)
    {'buffer': 1}
    """
    prefix = f"{at}."
    return {
        name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)
    }
