"""The tape's values, and the leaves that know which Parameter they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import (
    DifferentiationError,
    EscapedValueError,
    Parameter,
    StaleRecordError,
)
from optshare_arrays import (
    Handle,
    Leaf,
    Scope,
    Tracked,
    hooks_of,
    plain,
)


class Value(Tracked):
    """An array that a differentiation computed."""

    __slots__ = ()

    def register_hook(self, hook: Callable[[Any], Any]) -> Handle:
        """Call a function with the gradient of this value in each backward pass through it.

        Args:
            hook: `hook(g)` is called once the gradient is complete, with an array
                of its own; what it gives, unless `None`, takes the place of g.

        Returns:
            A handle; `handle.remove()` ends it.

        Raises:
            FreedRecordError: a backward pass has freed the record already.

        >>> from optshare_tape import Variable, back
        >>> x = Variable([1., 2.])
        >>> y = x * x
        >>> handle = y.register_hook(lambda g: 10 * g)
        >>> back(y.sum())
        >>> x.grad
        array([20., 40.])
        """
        require_open(self)
        return hooks_of(self.node).register(hook)

    def detach(self) -> Any:
        """A copy of the plain array: a constant.

        >>> from optshare_tape import Variable, back
        >>> x = Variable([1., 2.])
        >>> back((x * (2 * x).detach()).sum())
        >>> x.grad
        array([2., 4.])
        """
        return plain(self).copy()


AMBIENT = Scope(Value, 0)
"""Where Variables, and Parameters inside `record()`, are recorded; it never ends."""


class ParameterLeaf(Leaf):
    """A Parameter as it was read."""

    __slots__ = ("key", "version")

    def __init__(self, key: Parameter) -> None:
        self.hooks = None
        self.key = key
        self.version = key.version

    def require_usable(self) -> None:
        """Raise `StaleRecordError` if the Parameter was updated since it was read."""
        if self.key.version != self.version:
            raise StaleRecordError(
                f"a parameter of shape {self.key.shape} was updated between the forward pass "
                f"and its backward pass; call back before the update, or run forward again"
            )


def require_tracked(y: Any) -> Value:
    """Raise `DifferentiationError` unless a value is recorded and its record is still open."""
    if not isinstance(y, Value):
        raise DifferentiationError(
            f"back needs a tracked value, not {type(y).__name__}: it was computed from no "
            f"Variable, and from no Parameter inside record()"
        )
    require_open(y)
    return y


def require_open(y: Value) -> None:
    """Raise `EscapedValueError` if the differentiation of a value has ended."""
    if y.scope.closed:
        raise EscapedValueError(
            "a value of a differentiation that has ended has no backward pass; "
            "call back, or register_hook, before its function returns"
        )
