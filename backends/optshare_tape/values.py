"""The tape's values: each links to what it was computed from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from optshare.extend import (
    DifferentiationError,
    EscapedValueError,
    FreedRecordError,
    Parameter,
    StaleRecordError,
    Suspended,
    current_overlay,
)
from optshare_arrays import Primitive, Tracked, next_level, plain, require_real

_next_sequence = itertools.count().__next__

Node = tuple[Primitive, tuple[Any, ...], dict[str, Any], "list[int]", "list[Value]"]
"""(primitive, its arguments one level down, keywords, places of the links, the links)."""


class Scope:
    """One differentiation: its level, and whether it has ended."""

    __slots__ = ("closed", "level")

    def __init__(self, level: int | None = None) -> None:
        self.level = next_level() if level is None else level
        self.closed = False

    def leaf(self, value: Any) -> Leaf:
        """An input of this differentiation."""
        return Leaf(value, self)

    def owns(self, value: Any) -> bool:
        """Whether a value is tracked by this differentiation."""
        return isinstance(value, Value) and value.scope is self

    def pull(self, output: Value, seed: Any, leaves: Sequence[Leaf]) -> Sequence[Any]:
        """The cotangent of each leaf, `None` where there is no path; frees the record."""
        found = backward(output, seed)
        return [found.get(leaf) for leaf in leaves]


AMBIENT = Scope(0)
"""Where Variables, and Parameters inside `record()`, are recorded; it never ends."""


class Value(Tracked):
    """An array that a differentiation computed, with the operation and its arguments.

    Values refer to their inputs only, never back, so what nobody holds is freed at once.
    """

    __slots__ = ("node", "scope", "sequence")

    def __init__(self, value: Any, scope: Scope, node: Node | None = None) -> None:
        self.value = value
        self.scope = scope
        self.level = scope.level
        self.node = node
        self.sequence = _next_sequence()

    def record(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute one level down, and link the result to its arguments."""
        if self.scope.closed:
            raise EscapedValueError(
                f"{primitive.name} was applied to a value of a differentiation that has ended; "
                f"return it from the function, or keep ops.stop_gradient(x)"
            )
        if isinstance(current_overlay(), Suspended):
            return primitive(*map(plain, args), **kwargs)
        level = self.level
        places: list[int] = []
        links: list[Value] = []
        inputs = list(args)
        for place, each in enumerate(args):
            if isinstance(each, Value) and each.level == level:
                places.append(place)
                links.append(each)
                inputs[place] = each.value
        answer = primitive(*inputs, **kwargs)
        return Value(answer, self.scope, (primitive, tuple(inputs), kwargs, places, links))


class Leaf(Value):
    """Where a backward pass ends: an input of a differentiation, or a Parameter as it was read."""

    __slots__ = ("key", "version")

    def __init__(self, value: Any, scope: Scope, key: Parameter | None = None) -> None:
        super().__init__(require_real(value), scope)
        self.key = key
        self.version = 0 if key is None else key.version

    def require_current(self) -> None:
        """Raise `StaleRecordError` if the Parameter was updated since it was read."""
        if self.key is not None and self.key.version != self.version:
            raise StaleRecordError(
                f"a parameter of shape {self.key.shape} was updated between the forward pass "
                f"and its backward pass; call back before the update, or run forward again"
            )


def backward(output: Value, seed: Any) -> dict[Leaf, Any]:
    """The gradient at every leaf that a value was computed from.

    Each operation is forgotten as soon as it has been used, which frees what it kept.
    """
    found: dict[Leaf, Any] = {}
    cotangents: dict[Value, Any] = {output: seed}
    order = _recorded(output)
    while order:
        value = order.pop()
        g = cotangents.pop(value, None)
        if g is None:
            value.node = None
            continue
        if isinstance(value, Leaf):
            found[value] = g
            continue
        assert value.node is not None
        primitive, inputs, kwargs, places, links = value.node
        value.node = None
        pulled = primitive.pull(places, g, value.value, inputs, kwargs)
        for parent, each in zip(links, pulled, strict=True):
            if each is not None:
                before = cotangents.get(parent)
                cotangents[parent] = each if before is None else before + each
    return found


def _recorded(output: Value) -> list[Value]:
    """All that a value was computed from, oldest first; raises if some was freed or is stale."""
    seen = {output}
    waiting = [output]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Leaf):
            value.require_current()
            continue
        if value.node is None:
            raise FreedRecordError(
                "this record was freed by an earlier backward pass; run the forward pass again"
            )
        for each in value.node[4]:
            if each not in seen:
                seen.add(each)
                waiting.append(each)
    return sorted(seen, key=_sequence)


def _sequence(value: Value) -> int:
    return value.sequence


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
