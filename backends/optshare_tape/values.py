"""The tape's values, and the leaves that know which Parameter they are."""

from __future__ import annotations

from typing import Any

from optshare.extend import (
    DifferentiationError,
    EscapedValueError,
    Parameter,
    StaleRecordError,
)
from optshare_arrays import Leaf, Scope, Tracked


class Value(Tracked):
    """An array that a differentiation computed."""

    __slots__ = ()


AMBIENT = Scope(Value, 0)
"""Where Variables, and Parameters inside `record()`, are recorded; it never ends."""


class ParameterLeaf(Leaf):
    """A Parameter as it was read."""

    __slots__ = ("key", "version")

    def __init__(self, value: Any, key: Parameter) -> None:
        super().__init__(value)
        self.key = key
        self.version = key.version

    def require_usable(self) -> None:
        """Raise `StaleRecordError` if the Parameter was updated since it was read."""
        if self.key.version != self.version:
            raise StaleRecordError(
                f"a parameter of shape {self.key.shape} was updated between the forward pass "
                f"and its backward pass; call back before the update, or run forward again"
            )


def leaf_of(parameter: Parameter, value: Any, scope: Scope) -> Value:
    """A Parameter's value, tracked."""
    return Value(value, scope, ParameterLeaf(value, parameter))


def require_tracked(y: Any) -> Value:
    """Raise `DifferentiationError` unless a value is recorded and its record is still open."""
    if not isinstance(y, Value):
        raise DifferentiationError(
            f"back needs a tracked value, not {type(y).__name__}: it was computed from no "
            f"Variable, and from no Parameter inside record()"
        )
    if y.scope.closed:
        raise EscapedValueError("back was called on a value of a differentiation that has ended")
    return y
