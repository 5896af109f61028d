"""The reference: a recorded rule evaluated with any array functions, out of place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optshare.dtypes import is_complex, real_dtype
from optshare.kernels.expression import squared
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
    if program.as_reals and is_complex(working):
        return _of_pairs(program, ops, value, gradient, state, scalars, working)
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
        known[result] = settled(ops, computed(ops, name, given, known["value"]), working)
    new = {name: settled(ops, known[source], working) for name, source in program.results.items()}
    return new, _as_array(ops, found(program.step), known["value"])


def _of_pairs(
    program: Program,
    ops: Any,
    value: Any,
    gradient: Any,
    state: dict[str, Any],
    scalars: dict[str, float],
    working: Any,
) -> tuple[dict[str, Any], Any]:
    """The new state and the step, complex, each of a complex number's parts by itself."""

    def pairs(array: Any) -> Any:
        whole = cast(ops, array, working)
        return ops.stack([ops.real(whole), ops.imag(whole)], axis=-1)

    def whole(pairs: Any) -> Any:
        return cast(ops, pairs[..., 0] + 1j * pairs[..., 1], working)

    parts = {name: pairs(each) for name, each in state.items()}
    real = replace(program, as_reals=False)
    given = pairs(value), pairs(gradient), parts, scalars, real_dtype(working, ops)
    new, step = steps(real, ops, *given)
    return {name: whole(each) for name, each in new.items()}, whole(step)


def cast(ops: Any, array: Any, dtype: Any) -> Any:
    """An array in a dtype: itself if it has it."""
    return array if array.dtype == dtype else ops.astype(array, dtype)


def settled(ops: Any, array: Any, working: Any) -> Any:
    """An array in the working dtype; a real one beside complex ones stays real."""
    if is_complex(working) and not is_complex(array.dtype):
        return cast(ops, array, real_dtype(working, ops))
    return cast(ops, array, working)


def computed(ops: Any, name: str, operands: list[Any], like: Any) -> Any:
    """One operation; a number stands for an array like another one where it must."""
    if name == "squared":
        return squared(operands[0])
    if name == "where" and isinstance(operands[0], float | bool):
        return _as_array(ops, operands[1] if operands[0] else operands[2], like)
    if name in OF_ARRAYS_ONLY:
        operands = [_as_array(ops, each, like) for each in operands]
    if name == "where":  # a truth is 0 or 1
        operands[0] = operands[0] != 0
    return getattr(ops, name)(*operands)


def _as_array(ops: Any, operand: Any, like: Any) -> Any:
    return ops.zeros_like(like) + float(operand) if isinstance(operand, float | bool) else operand
