"""A recorded rule as two straight-line programs: one of scalars, one of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from optshare.kernels.expression import SCALAR, Expression, applied
from optshare.kernels.mathematics import Mathematics
from optshare.narrowing import is_sequence

Function = Callable[..., Any]
Operand = str | float
Instruction = tuple[str, str, tuple[Operand, ...]]
"""(result, operation, operands); an operand is a name or a number."""


@dataclass(frozen=True, eq=False)
class Program:
    """What a rule computes, element by element.

    `scalars` are computed on the host in float64; `arrays` read their results
    and `value`, `gradient` and the state by name. `results` names what holds the
    new state at the end, `numbers` the same for the numbers of the state, and
    `step` what is subtracted from the value.
    """

    scalars: tuple[Instruction, ...]
    arrays: tuple[Instruction, ...]
    results: dict[str, str]
    numbers: dict[str, Operand]
    step: Operand
    as_reals: bool = False
    """Whether complex arrays are to be computed with as pairs of real ones."""

    def host(
        self, rule: Mathematics, t: int, kept: Mapping[str, float] = MappingProxyType({})
    ) -> dict[str, float]:
        """The scalars that the array program reads, for a rule of numbers, step count and state."""
        known = {**numbers_of(rule, float), **kept, "t": float(t)}
        for result, name, operands in self.scalars:
            values = (known[each] if isinstance(each, str) else each for each in operands)
            known[result] = SCALAR[name](*values)
        return known

    def kept(self, known: dict[str, float]) -> dict[str, float]:
        """The new numbers of the state, among what `host` gave."""
        found = self.numbers.items()
        return {name: known[at] if isinstance(at, str) else at for name, at in found}


DESCENT = Program((), (), {}, {}, "gradient")
"""Subtracts the gradient."""


def program_of(rule: Mathematics) -> Program:
    """The program of a rule; recorded once for all rules of equal structure.

    Two rules have equal structure if they are of one class, have the same
    options, and the same hyperparameters are 0; a schedule is not 0, nor is a
    number that is traced.
    """
    return _recorded(type(rule), _structure(rule))


def _structure(rule: Mathematics) -> tuple[Any, ...]:
    return tuple(_shape_of(getattr(rule, each.name)) for each in _fields(rule))


@dataclass(frozen=True)
class _Form:
    """The structure of a rule within another one."""

    kind: type[Mathematics]
    structure: tuple[Any, ...]


def _shape_of(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Mathematics):
        return _Form(type(value), _structure(value))
    if is_sequence(value):
        return tuple(map(_shape_of, value))
    return 1.0 if not _is_number(value) or value else 0.0


def _is_number(value: Any) -> bool:
    """Whether it is known while a rule is recorded; a schedule and a traced number are not."""
    return isinstance(value, int | float | np.number)


class Graph(NamedTuple):
    """What a rule computes, as expressions."""

    new: dict[str, Any]
    """The new state, by name."""
    step: Any


def graph_of(rule: Mathematics) -> Graph:
    """The expressions of a rule, in symbols for its numbers, arrays and state."""
    return _graph(type(rule), _structure(rule))


@cache
def _recorded(kind: type[Mathematics], structure: tuple[Any, ...]) -> Program:
    (new, step), rule = _graph(kind, structure), _symbolic(kind, structure, "")
    writer, numbers = _Writer(), rule.scalar_names()
    kept = {name: writer.number(name, new[name]) for name in numbers}
    program = writer.program({name: new[name] for name in rule.state_names()}, kept, step)
    return dataclasses.replace(program, as_reals=rule.complex_as_reals)


def _graph(kind: type[Mathematics], structure: tuple[Any, ...]) -> Graph:
    rule = _symbolic(kind, structure, "")
    arrays, numbers = rule.state_names(), rule.scalar_names()
    state = {name: Expression(name, on_arrays=name in arrays) for name in (*arrays, *numbers)}
    value, gradient = (Expression(name, on_arrays=True) for name in ("value", "gradient"))
    new, step = rule.step(value, gradient, dict(state), Expression("t", on_arrays=False))
    _require_names(kind, tuple(state), new)
    return Graph(new, step)


def _symbolic(kind: type[Mathematics], structure: tuple[Any, ...], prefix: str) -> Mathematics:
    """A rule whose numbers are symbols."""
    rule = object.__new__(kind)
    for each, value in zip(_fields(kind), structure, strict=True):
        object.__setattr__(rule, each.name, _symbol(f"{prefix}{each.name}", value))
    return rule


def _require_names(kind: type[Mathematics], names: tuple[str, ...], new: dict[str, Any]) -> None:
    if set(new) != set(names):
        raise TypeError(
            f"{kind.__name__}.step returned the state {sorted(new)}, "
            f"its state_names and scalar_names are {sorted(names)}"
        )


def _symbol(name: str, value: Any) -> Any:
    if is_sequence(value):
        return tuple(_symbol(f"{name}.{i}", each) for i, each in enumerate(value))
    if isinstance(value, float):
        return Expression(name, on_arrays=False, known=value)
    if isinstance(value, _Form):
        return _symbolic(value.kind, value.structure, f"{name}.")
    return value


def numbers_of(
    rule: Mathematics, convert: Callable[[Any], Any], prefix: str = ""
) -> dict[str, Any]:
    """The hyperparameters of a rule by the names that a program knows them by."""
    found: dict[str, Any] = {}
    for each in _fields(rule):
        found.update(_number(f"{prefix}{each.name}", getattr(rule, each.name), convert))
    return found


def _number(name: str, value: Any, convert: Callable[[Any], Any]) -> dict[str, Any]:
    if isinstance(value, bool | str):
        return {}
    if isinstance(value, Mathematics):
        return numbers_of(value, convert, f"{name}.")
    if is_sequence(value):
        found: dict[str, Any] = {}
        for at, each in enumerate(value):
            found.update(_number(f"{name}.{at}", each, convert))
        return found
    return {name: convert(value)}


def _fields(rule: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(rule)


class _Writer:
    """Writes each different operation of a graph once, operands first."""

    def __init__(self) -> None:
        self._scalars: list[Instruction] = []
        self._arrays: list[Instruction] = []
        self._known: dict[tuple[str, tuple[Operand, ...]], str] = {}

    def program(self, new: dict[str, Any], numbers: dict[str, Operand], step: Any) -> Program:
        results = {name: self._result(name, each) for name, each in new.items()}
        last = self._written(step)
        return Program(tuple(self._scalars), tuple(self._arrays), results, numbers, last)

    def number(self, name: str, expression: Any) -> Operand:
        """What holds a new number of the state."""
        if isinstance(expression, Expression) and expression.on_arrays:
            raise TypeError(f"the new state {name!r} must be a number, not {expression!r}")
        return self._written(expression)

    def _result(self, name: str, expression: Any) -> str:
        """What holds a new state: the old one of that name, or the result of an operation."""
        if not (isinstance(expression, Expression) and expression.on_arrays):
            raise TypeError(f"the new state {name!r} must be an array, not {expression!r}")
        if not expression.operands and expression.name != name:
            expression = applied("positive", expression)
        return str(self._written(expression))

    def _written(self, expression: Any) -> Operand:
        if not isinstance(expression, Expression):
            return float(expression)
        if not expression.operands:
            return expression.name
        key = expression.name, tuple(map(self._written, expression.operands))
        if key not in self._known:
            kind, log = ("x", self._arrays) if expression.on_arrays else ("s", self._scalars)
            self._known[key] = f"{kind}{len(log)}"
            log.append((self._known[key], *key))
        return self._known[key]
