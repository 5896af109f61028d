"""The scalars of a program with an engine's functions, where some of them are traced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.kernels.expression import SCALAR
from optshare.kernels.mathematics import Mathematics
from optshare.kernels.program import Operand, Program, numbers_of
from optshare.kernels.reference import computed

Scalars = dict[str, Any]


def is_number(thing: Any) -> bool:
    """Whether the host can compute with something: a number of Python's or NumPy's.

    >>> is_number(2), is_number(np.float32(1)), is_number(np.ones(()))
    (True, True, False)
    """
    return isinstance(thing, int | float | np.number)


class Traced:
    """Computes what depends on scalars only: on the host what it can, the rest by `ops`.

    `1 - b**t` is computed as `-expm1(t * log(b))`, and `b**t` as `exp(t * log(b))`, with
    a logarithm in double precision: in single precision the one would be off by 1e-5 as a
    difference of numbers that are nearly equal, the other as a power of a b that is rounded.
    """

    def __init__(self, ops: Any) -> None:
        self._ops = ops

    def __call__(self, program: Program, rule: Mathematics, t: Any, kept: Scalars) -> Scalars:
        """All scalars that an array program reads."""
        known: Scalars = {
            "t": _floating(t),
            **numbers_of(rule, _floating),
            **{name: _floating(each) for name, each in kept.items()},
        }
        like = next((each for each in known.values() if not is_number(each)), None)
        powers: dict[Operand, tuple[Any, Any]] = {}
        for result, name, operands in program.scalars:
            values = [known[each] if isinstance(each, str) else each for each in operands]
            if all(map(is_number, values)) or name == "remainder":  # which few namespaces have
                known[result] = SCALAR[name](*values)
            elif name == "pow" and is_number(values[0]) and values[0] > 0:
                known[result] = self._ops.exp(values[1] * math.log(values[0]))
            elif name == "subtract" and operands[0] == 1 and operands[1] in powers:
                known[result] = self._correction(*powers[operands[1]], values[1])
            else:
                known[result] = computed(self._ops, name, values, like)
            if name == "pow":
                powers[result] = values[0], values[1]
        return known

    def _correction(self, base: Any, exponent: Any, power: Any) -> Any:
        if is_number(base):
            return 1 - power if base <= 0 else -self._ops.expm1(exponent * math.log(base))
        return -self._ops.expm1(exponent * self._ops.log(base))


def _floating(value: Any) -> Any:
    return float(value) if is_number(value) else value * 1.0
