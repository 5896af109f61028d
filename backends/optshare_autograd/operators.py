"""Autograd's operators, which leave a Parameter on their right to the Parameter's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from optshare.extend import Box
from optshare_autograd.library import boxes

BINARY = (
    "add",
    "sub",
    "mul",
    "truediv",
    "mod",
    "pow",
    "matmul",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
)


def _deferring(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @wraps(method)
    def call(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, Box) else method(self, other)

    return call


def defer() -> None:
    """Let `box @ parameter` become the Parameter's `__rmatmul__`, which reads its value.

    Autograd's own operators never give `NotImplemented`; for anything but a
    Parameter or a Buffer they stay what they are.
    """
    for name in BINARY:
        method = f"__{name}__"
        setattr(boxes.ArrayBox, method, _deferring(getattr(boxes.ArrayBox, method)))
