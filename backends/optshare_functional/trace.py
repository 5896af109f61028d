"""One differentiation of the functional engine: a flat list of what was computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optshare_arrays import Differentiable, Primitive, Tracked, next_level
from optshare_arrays.gradients import checked_seed, own

from optshare.extend import EscapedValueError, Pullback


class Tracer(Tracked):
    """A value inside a differentiation: the place in its trace, and the value one level down."""

    __slots__ = ("index", "trace")

    def __init__(self, trace: Trace, index: int, value: Any) -> None:
        self.trace = trace
        self.level = trace.level
        self.index = index
        self.value = value

    def record(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute one level down, and note it in the trace."""
        return self.trace.record(primitive, args, kwargs)


Note = tuple[Differentiable, tuple[Any, ...], dict[str, Any], Any, list[int], list[int]]


class Trace:
    """The list of operations of one differentiation; it dies with its pullback."""

    __slots__ = ("closed", "count", "level", "notes")

    def __init__(self) -> None:
        self.level = next_level()
        self.closed = False
        self.notes: list[Note | None] = []
        self.count = 0

    def leaf(self, value: Any) -> Tracer:
        """An input of this differentiation."""
        self.notes.append(None)
        return Tracer(self, len(self.notes) - 1, value)

    def owns(self, value: Any) -> bool:
        """Whether a value belongs to this differentiation."""
        return isinstance(value, Tracer) and value.trace is self

    def record(
        self, primitive: Differentiable, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Tracer:
        """Apply a primitive to values of this trace and of lower levels."""
        if self.closed:
            raise EscapedValueError(
                f"{primitive.name} was applied to a value of a differentiation that has ended; "
                f"return it from the function, or use stop_gradient inside"
            )
        places, parents, lower = [], [], list(args)
        for place, each in enumerate(args):
            if isinstance(each, Tracer) and each.trace is self:
                places.append(place)
                parents.append(each.index)
                lower[place] = each.value
        inputs = tuple(lower)
        answer = primitive(*inputs, **kwargs)
        self.notes.append((primitive, inputs, kwargs, answer, places, parents))
        return Tracer(self, len(self.notes) - 1, answer)

    def pull(self, output: int, g: Any, count: int) -> list[Any]:
        """Cotangents of the first `count` values, from that of an output."""
        cotangents: dict[int, Any] = {output: g}
        for index in range(output, count - 1, -1):
            note = self.notes[index]
            g = cotangents.pop(index, None)
            if g is None or note is None:
                continue
            primitive, args, kwargs, answer, places, parents = note
            pulled = primitive.pull(places, g, answer, args, kwargs)
            for parent, each in zip(parents, pulled, strict=True):
                if each is not None:
                    before = cotangents.get(parent)
                    cotangents[parent] = each if before is None else before + each
        return [cotangents.get(index) for index in range(count)]


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which may be called any number of times.

    The pullback takes a cotangent of the value and gives one for each array,
    `None` where there is no path.

    >>> import numpy as np
    >>> value, pullback = vjp(lambda x: x * x, np.array([1., 2.]))
    >>> pullback(np.array([1., 10.]))
    [array([ 2., 40.])]
    """
    trace = Trace()
    leaves = [trace.leaf(array) for array in arrays]
    try:
        output = fn(*leaves)
    finally:
        trace.closed = True
    if not trace.owns(output):
        return output, lambda g: [None] * len(arrays)
    value, index = output.value, output.index

    def pullback(g: Any) -> Sequence[Any]:
        seed = checked_seed(g, value)
        return own(trace.pull(index, seed, len(arrays)), arrays, seed)

    return value, pullback
