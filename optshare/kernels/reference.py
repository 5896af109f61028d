"""The reference: a recorded rule evaluated with any backend's `ops`, out of place."""

from __future__ import annotations

from typing import Any

from optshare.kernels.program import Program
from optshare.namespace.protocol import Namespace

OF_ARRAYS_ONLY = ("maximum", "minimum", "where")
"""Functions that some namespaces refuse to call with a Python number."""


def evaluate(
    program: Program,
    ops: Namespace,
    value: Any,
    gradient: Any,
    state: dict[str, Any],
    scalars: dict[str, float],
    working: Any,
) -> tuple[dict[str, Any], Any]:
    """The new state and the new value, as fresh arrays of the engine.

    It computes in the dtype `working`, and gives the value in its own.
    """
    known: dict[str, Any] = {
        **scalars,
        **state,
        "value": _cast(ops, value, working),
        "gradient": _cast(ops, gradient, working),
    }

    def found(operand: str | float) -> Any:
        return known[operand] if isinstance(operand, str) else operand

    for result, name, operands in program.arrays:
        computed = _computed(ops, name, [*map(found, operands)], known["value"])
        known[result] = _cast(ops, computed, working)
    new = {name: _cast(ops, known[source], working) for name, source in program.results.items()}
    moved = _cast(ops, known["value"] - found(program.step), value.dtype)
    return {name: ops.stop_gradient(each) for name, each in new.items()}, ops.stop_gradient(moved)


def _cast(ops: Namespace, array: Any, dtype: Any) -> Any:
    return array if array.dtype == dtype else ops.astype(array, dtype)


def _computed(ops: Namespace, name: str, operands: list[Any], like: Any) -> Any:
    if name == "where" and isinstance(operands[0], float | bool):
        return _as_array(ops, operands[1] if operands[0] else operands[2], like)
    if name in OF_ARRAYS_ONLY:
        operands = [_as_array(ops, each, like) for each in operands]
    if name == "where":  # a truth is 0 or 1
        operands[0] = operands[0] != 0
    return getattr(ops, name)(*operands)


def _as_array(ops: Namespace, operand: Any, like: Any) -> Any:
    return ops.zeros_like(like) + float(operand) if isinstance(operand, float | bool) else operand
