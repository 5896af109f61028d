"""Recording a rule's arithmetic as an expression graph.

A rule is run once with symbols instead of arrays. What depends on scalars only
is kept apart: it is computed on the host, in float64, once for all elements.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.operators import Operators, operator

Function = Callable[..., Any]

SYMBOLS: dict[Function, str] = {
    operator.add: "add",
    operator.sub: "subtract",
    operator.mul: "multiply",
    operator.truediv: "divide",
    operator.pow: "pow",
    operator.mod: "remainder",
    operator.neg: "negative",
    operator.abs: "abs",
    operator.lt: "less",
    operator.le: "less_equal",
    operator.gt: "greater",
    operator.ge: "greater_equal",
}
"""The Array API standard's name of each operator that a rule may use."""


OF_NUMBERS_ONLY = (operator.mod,)
"""What a rule may use on `t` and its hyperparameters, but not on arrays."""


class Expression(Operators):
    """A symbol, or an operation on expressions and numbers.

    `name` is the operation's name in the Array API standard, or that of the
    symbol; `on_arrays` tells whether it has a value for each element.
    """

    __slots__ = ("known", "name", "on_arrays", "operands")

    def __init__(
        self,
        name: str,
        operands: tuple[Any, ...] = (),
        *,
        on_arrays: bool,
        known: float | None = None,
    ) -> None:
        self.name = name
        self.operands = operands
        self.on_arrays = on_arrays
        self.known = known

    def _operate(self, function: Function, *operands: Any) -> Expression:
        if function not in SYMBOLS:
            raise TypeError(f"a rule cannot use {function.__name__} on its symbols")
        found = applied(SYMBOLS[function], *operands)
        if found.on_arrays and function in OF_NUMBERS_ONLY:
            raise TypeError(f"a rule cannot use {function.__name__} on arrays, only on numbers")
        return found

    def __bool__(self) -> bool:
        if self.known is None:
            raise TypeError(
                f"the value of {self} is not known while a rule is recorded; "
                f"use where(condition, a, b)"
            )
        return self.known != 0

    def __repr__(self) -> str:
        if not self.operands:
            return self.name
        return f"{self.name}({', '.join(map(repr, self.operands))})"


def applied(name: str, *operands: Any) -> Expression:
    """An operation on expressions and numbers."""
    on_arrays = any(isinstance(each, Expression) and each.on_arrays for each in operands)
    return Expression(name, operands, on_arrays=on_arrays)


def _function(name: str, on_number: Function) -> Function:
    """A function for the mathematics of a rule: of symbols, numbers and arrays."""

    def call(*operands: Any) -> Any:
        if any(isinstance(each, Expression) for each in operands):
            return applied(name, *operands)
        if builtins.all(isinstance(each, int | float) for each in operands):
            return on_number(*operands)
        return getattr(np, name)(*operands)

    call.__name__ = name
    call.__doc__ = f"The function `{name}` in the mathematics of a rule."
    return call


def squared(x: Any) -> Any:
    """`|x|**2`, which is real for complex numbers too.

    >>> squared(-3.0), squared(np.array([3 + 4j]))
    (9.0, array([25.]))
    """
    if isinstance(x, Expression):
        return applied("squared", x)
    if "complex" in str(getattr(x, "dtype", "")):
        return x.real * x.real + x.imag * x.imag
    return x * x


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def _where(condition: bool, x: float, y: float) -> float:
    return x if condition else y


SCALAR: dict[str, Function] = {
    **{name: function for function, name in SYMBOLS.items()},
    "sqrt": math.sqrt,
    "squared": squared,
    "sign": _sign,
    "maximum": builtins.max,
    "minimum": builtins.min,
    "where": _where,
}
"""How the host computes each operation on Python floats."""

sqrt = _function("sqrt", math.sqrt)
sign = _function("sign", _sign)


def rooted(x: Any, eps: Any, *, inside: bool) -> Any:
    """`sqrt(x + eps)` or `sqrt(x) + eps`."""
    return sqrt(x + eps) if inside else sqrt(x) + eps


maximum = _function("maximum", builtins.max)
minimum = _function("minimum", builtins.min)
where = _function("where", _where)
