"""A program's arithmetic for one element, as statements of a compiled language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from optshare.kernels.program import Operand, Program

SCALE = "scale"
"""The scalar that the gradient is multiplied by first."""


class Language(NamedTuple):
    """How a language writes the operations; operands stand for `{0}`, `{1}` and `{2}`.

    `{one}` and `{zero}` are those numbers in the type of the elements.
    """

    declared: str
    """A new name `{0}` with the value `{1}`."""
    operations: Mapping[str, str]


_ALIKE = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "squared": "{0} * {0}",
    "negative": "-{0}",
    "positive": "{0}",
    "sqrt": "sqrt({0})",
}

PYTHON = Language(
    "{0} = {1}",
    {
        **_ALIKE,
        "abs": "abs({0})",
        "pow": "{0} ** {1}",
        "less": "{one} if {0} < {1} else {zero}",
        "less_equal": "{one} if {0} <= {1} else {zero}",
        "greater": "{one} if {0} > {1} else {zero}",
        "greater_equal": "{one} if {0} >= {1} else {zero}",
        "sign": "{one} if {0} > {zero} else -{one} if {0} < {zero} else "
        "{zero} if {0} == {zero} else {0}",
        "maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
        "minimum": "{0} if {0} <= {1} or {0} != {0} else {1}",
        "where": "{1} if {0} != {zero} else {2}",
    },
)

CUDA = Language(
    "const T {0} = {1};",
    {
        **_ALIKE,
        "abs": "fabs({0})",
        "pow": "pow({0}, {1})",
        "less": "{0} < {1} ? {one} : {zero}",
        "less_equal": "{0} <= {1} ? {one} : {zero}",
        "greater": "{0} > {1} ? {one} : {zero}",
        "greater_equal": "{0} >= {1} ? {one} : {zero}",
        "sign": "{0} > {zero} ? {one} : {0} < {zero} ? -{one} : {0} == {zero} ? {zero} : {0}",
        "maximum": "{0} >= {1} || {0} != {0} ? {0} : {1}",
        "minimum": "{0} <= {1} || {0} != {0} ? {0} : {1}",
        "where": "{0} != {zero} ? {1} : {2}",
    },
)
"""C++ with `T` for the type of the elements."""


@dataclass(frozen=True)
class Element:
    """The statements for one element.

    They read `value`, `gradient`, the old state `old0`, `old1` and so on, in the order of
    `states`, and the constants `c0`, `c1` and so on.
    """

    statements: tuple[str, ...]
    states: tuple[str, ...]
    """The names of the state arrays."""
    new: Mapping[int, str]
    """What holds the new state at the end, by its place; one that is missing stays."""
    moved: str
    """What holds the new value."""
    constants: tuple[Operand, ...]
    """What each constant is: a number, or the name of a scalar."""

    def numbers(self, scalars: Mapping[str, float], scale: float, dtype: Any) -> Any:
        """The constants' values, as an array of one dimension."""
        known = {**scalars, SCALE: scale}
        found = [known[each] if isinstance(each, str) else each for each in self.constants]
        return np.array(found, dtype)


def element(program: Program, language: Language) -> Element:
    """The statements of a program in a language.

    >>> from optshare.kernels.program import program_of
    >>> from optshare.rules import SGD
    >>> found = element(program_of(SGD(momentum=0.9)), PYTHON)
    >>> for line in found.statements:
    ...     print(line)
    scaled = gradient * c0
    x0 = c1 * old0
    x1 = x0 + scaled
    x2 = c2 * x1
    moved = value - x2
    >>> found.constants, found.new
    (('scale', 'momentum', 'lr'), {0: 'x1'})
    """
    return _Emitter(program, language).element()


class _Emitter:
    def __init__(self, program: Program, language: Language) -> None:
        self._program = program
        self._language = language
        self._constants: dict[Operand, str] = {}
        self._lines: list[str] = []
        states = {name: f"old{place}" for place, name in enumerate(program.results)}
        self._names = {"value": "value", "gradient": "scaled", **states}

    def element(self) -> Element:
        self._declare("scaled", "multiply", ("gradient", self._constant(SCALE)))
        for result, name, operands in self._program.arrays:
            self._declare(result, name, tuple(map(self._named, operands)))
            self._names[result] = result
        self._declare("moved", "subtract", ("value", self._named(self._program.step)))
        pairs = enumerate(self._program.results.items())
        new = {place: self._names[source] for place, (name, source) in pairs if source != name}
        states = tuple(self._program.results)
        return Element(tuple(self._lines), states, new, "moved", tuple(self._constants))

    def _declare(self, name: str, operation: str, operands: tuple[str, ...]) -> None:
        written = self._language.operations[operation]
        numbers = {
            word: self._constant(number)
            for word, number in (("one", 1.0), ("zero", 0.0))
            if f"{{{word}}}" in written
        }
        value = written.format(*operands, **numbers)
        self._lines.append(self._language.declared.format(name, value))

    def _named(self, operand: Operand) -> str:
        return self._names.get(operand) or self._constant(operand)  # type: ignore[call-overload]

    def _constant(self, operand: Operand) -> str:
        return self._constants.setdefault(operand, f"c{len(self._constants)}")
