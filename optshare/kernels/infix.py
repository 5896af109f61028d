"""Recorded expressions as formulas that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optshare.kernels.expression import Expression

BINARY = {
    "add": (" + ", 1),
    "subtract": (" - ", 1),
    "multiply": (" * ", 2),
    "divide": (" / ", 2),
    "pow": ("**", 4),
    "less": (" < ", 0),
    "less_equal": (" <= ", 0),
    "greater": (" > ", 0),
    "greater_equal": (" >= ", 0),
}
"""How an operation of two operands is written, and how strongly it binds."""
ATOM = 5
FUNCTIONS = {"maximum": "max", "minimum": "min"}
Names = Mapping[int, str]


def infix(expression: Any, names: Names) -> str:
    """The formula of an expression; those in `names`, by id, are written by their name.

    >>> from optshare.kernels.expression import Expression, sqrt
    >>> v, eps = Expression("v", on_arrays=True), Expression("eps", on_arrays=False)
    >>> infix(1.0 / (sqrt(v * v) + eps), {})
    '1 / (sqrt(v**2) + eps)'
    """
    return _written(expression, names)[0]


def symbol(name: str) -> str:
    """How a hyperparameter is written: `betas.0` is `beta1`.

    >>> symbol("betas.0"), symbol("etas.1"), symbol("lr")
    ('beta1', 'etas[1]', 'lr')
    """
    whole, dot, place = name.partition(".")
    if not dot:
        return name
    return f"beta{int(place) + 1}" if whole == "betas" else f"{whole}[{place}]"


def mentions(expression: Any, name: str, names: Names) -> bool:
    """Whether a formula has a symbol; what is written by a name is not looked into."""
    if not isinstance(expression, Expression) or id(expression) in names:
        return False
    if not expression.operands:
        return expression.name == name
    return any(mentions(each, name, names) for each in expression.operands)


def _written(expression: Any, names: Names) -> tuple[str, int]:
    """The formula, and how strongly it binds."""
    if id(expression) in names:
        return names[id(expression)], ATOM
    if not isinstance(expression, Expression):
        return f"{expression:g}", ATOM
    if not expression.operands:
        return symbol(expression.name), ATOM
    if expression.name in BINARY:
        return _binary(expression.name, *expression.operands, names=names)
    if expression.name == "squared":
        return _binary("pow", expression.operands[0], 2, names=names)
    inside = [infix(each, names) for each in expression.operands]
    if expression.name == "abs":
        return f"|{inside[0]}|", ATOM
    if expression.name == "negative":
        return f"-{_within(expression.operands[0], 3, names)}", 3
    if expression.name == "positive":
        return _written(expression.operands[0], names)
    return f"{FUNCTIONS.get(expression.name, expression.name)}({', '.join(inside)})", ATOM


def _binary(name: str, left: Any, right: Any, names: Names) -> tuple[str, int]:
    sign, binds = BINARY[name]
    if name == "multiply" and left is right:
        return f"{_within(left, ATOM, names)}**2", 4
    if name == "multiply" and _is_one(left):
        return _written(right, names)
    if name in ("multiply", "divide") and _is_one(right):
        return _written(left, names)
    least = (binds + 1, binds) if name == "pow" else (binds, binds + 1)
    if name in ("add", "multiply"):
        least = binds, binds
    return f"{_within(left, least[0], names)}{sign}{_within(right, least[1], names)}", binds


def _within(expression: Any, least: int, names: Names) -> str:
    """The formula, in parentheses if it binds less strongly than is needed."""
    text, binds = _written(expression, names)
    return text if binds >= least else f"({text})"


def _is_one(operand: Any) -> bool:
    return isinstance(operand, float | int) and operand == 1
