"""The reference: a recorded rule evaluated with any array functions, out of place."""

from __future__ import annotations

from typing import Any

from optshare.kernels.program import Program

OF_ARRAYS_ONLY = ("maximum", "minimum", "where")
"""Functions that some namespaces refuse to call with a Python number."""


def evaluate(
    program: Program,
    ops: Any,
    value: Any,
    gradient: Any,
    state: dict[str, Any],
    scalars: dict[str, float],
    working: Any,
) -> tuple[dict[str, Any], Any]:
    """The new state and the new value, as fresh arrays of the engine.

    It computes in the dtype `working`, and gives the value in its own.
    """
    new, step = steps(program, ops, value, gradient, state, scalars, working)
    return new, cast(ops, cast(ops, value, working) - step, value.dtype)


def steps(
    program: Program,
    ops: Any,
    value: Any,
    gradient: Any,
    state: dict[str, Any],
    scalars: dict[str, float],
    working: Any,
) -> tuple[dict[str, Any], Any]:
    """The new state and the step, as fresh arrays of the dtype `working`."""
    known: dict[str, Any] = {
        **scalars,
        **state,
        "value": cast(ops, value, working),
        "gradient": cast(ops, gradient, working),
    }

    def found(operand: str | float) -> Any:
        return known[operand] if isinstance(operand, str) else operand

    for result, name, operands in program.arrays:
        given = [found(each) for each in operands]
        known[result] = cast(ops, computed(ops, name, given, known["value"]), working)
    new = {name: cast(ops, known[source], working) for name, source in program.results.items()}
    return new, _as_array(ops, found(program.step), known["value"])


def cast(ops: Any, array: Any, dtype: Any) -> Any:
    """An array in a dtype: itself if it has it."""
    return array if array.dtype == dtype else ops.astype(array, dtype)


def computed(ops: Any, name: str, operands: list[Any], like: Any) -> Any:
    """One operation; a number stands for an array like another one where it must."""
    if name == "where" and isinstance(operands[0], float | bool):
        return _as_array(ops, operands[1] if operands[0] else operands[2], like)
    if name in OF_ARRAYS_ONLY:
        operands = [_as_array(ops, each, like) for each in operands]
    if name == "where":  # a truth is 0 or 1
        operands[0] = operands[0] != 0
    return getattr(ops, name)(*operands)


def _as_array(ops: Any, operand: Any, like: Any) -> Any:
    return ops.zeros_like(like) + float(operand) if isinstance(operand, float | bool) else operand
