"""Single-precision masters of parameters in half precision."""

from __future__ import annotations

from typing import Any

from optshare.kernels.reference import cast
from optshare.state import ParameterState, brought


def followed(state: ParameterState, value: Any, ops: Any, working: Any) -> Any:
    """The master of a parameter; where somebody has changed the value, the value.

    Args:
        state: the parameter's, which keeps the master.
        value: the parameter's array, in half precision.
        ops: the array functions of its memory.
        working: the dtype of the master.
    """
    own = cast(ops, value, working)
    if state.master is None or tuple(state.master.shape) != tuple(value.shape):
        return own
    master = brought(state.master, value, ops)
    return ops.where(cast(ops, cast(ops, master, value.dtype), working) == own, master, own)
