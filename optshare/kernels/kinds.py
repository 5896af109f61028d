"""Which arrays of a rule's state are complex, for a complex parameter."""

from __future__ import annotations

from collections.abc import Collection

from optshare.errors import ParameterError
from optshare.kernels.mathematics import Mathematics, Piece
from optshare.kernels.program import Operand, Program, program_of

TO_REAL = frozenset({"abs", "squared"})
ORDERED = frozenset(
    {"less", "less_equal", "greater", "greater_equal", "maximum", "minimum", "sign"}
)
"""Functions that complex numbers have not, for they have no order."""


def complex_names(rule: Mathematics) -> frozenset[str]:
    """The names of the state arrays that are complex.

    Raises:
        ParameterError: the rule asks for an order of complex numbers, or sees whole arrays.

    >>> from optshare.rules import Adam
    >>> sorted(complex_names(Adam()))
    ['exp_avg']
    """
    found: set[str] = set()
    for piece in rule.split():
        if not piece.elementwise:
            raise ParameterError(
                f"{type(piece.rule).__name__} sees whole arrays, and updates real ones only"
            )
        found.update(_whole(piece, name) for name in _fixed_point(piece.rule))
    return frozenset(found)


def _whole(piece: Piece, name: str) -> str:
    if piece.first is None:
        return name
    at, _, alone = name.partition(".")
    return f"{int(at) + piece.first}.{alone}"


def _fixed_point(rule: Mathematics) -> set[str]:
    """The state that a complex value and gradient make complex, and what that makes complex."""
    program, state = program_of(rule), set[str](rule.copied_names())
    if program.as_reals:
        return set(program.results)
    while True:
        known = _complex(program, state, rule)
        grown = state | {name for name, result in program.results.items() if result in known}
        if grown == state:
            return state
        state = grown


def _complex(program: Program, state: Collection[str], rule: Mathematics) -> set[Operand]:
    """What of a program is complex."""
    known: set[Operand] = {"value", "gradient", *state}
    for result, name, operands in program.arrays:
        read = operands[1:] if name == "where" else operands
        if known.isdisjoint(read):
            continue
        if name in ORDERED:
            raise ParameterError(
                f"{type(rule).__name__} applies {name} to complex numbers, which have no order"
            )
        if name not in TO_REAL:
            known.add(result)
    return known
