"""One differentiation of the functional engine: a flat list of what was computed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from optshare.extend import EscapedValueError, Pullback
from optshare_arrays import Differentiable, Primitive, Tracked, next_level
from optshare_arrays import vjp as _vjp


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
    """The operations of one differentiation; it dies with its pullback."""

    __slots__ = ("_next", "closed", "level", "notes")

    def __init__(self) -> None:
        self.level = next_level()
        self.closed = False
        self._next = itertools.count().__next__  # several threads may record
        self.notes: dict[int, Note] = {}

    def leaf(self, value: Any) -> Tracer:
        """An input of this differentiation."""
        return Tracer(self, self._next(), value)

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
                f"return it from the function, or keep ops.stop_gradient(x)"
            )
        places: list[int] = []
        parents: list[int] = []
        lower = list(args)
        for place, each in enumerate(args):
            if isinstance(each, Tracer) and each.trace is self:
                places.append(place)
                parents.append(each.index)
                lower[place] = each.value
        inputs = tuple(lower)
        answer = primitive(*inputs, **kwargs)
        index = self._next()
        self.notes[index] = primitive, inputs, kwargs, answer, places, parents
        return Tracer(self, index, answer)

    def pull(self, output: Tracer, seed: Any, leaves: Sequence[Tracer]) -> list[Any]:
        """The cotangent of each leaf, `None` where there is no path, from that of the output."""
        cotangents: dict[int, Any] = {output.index: seed}
        for index in range(output.index, len(leaves) - 1, -1):
            g = cotangents.pop(index, None)
            if g is None:
                continue
            primitive, args, kwargs, answer, places, parents = self.notes[index]
            pulled = primitive.pull(places, g, answer, args, kwargs)
            for parent, each in zip(parents, pulled, strict=True):
                if each is not None:
                    before = cotangents.get(parent)
                    cotangents[parent] = each if before is None else before + each
        return [cotangents.get(leaf.index) for leaf in leaves]


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which may be called any number of times.

    The pullback takes a cotangent of the value and gives one for each array,
    `None` where there is no path.

    >>> import numpy as np
    >>> value, pullback = vjp(lambda x: x * x, np.array([1., 2.]))
    >>> pullback(np.array([1., 10.]))
    [array([ 2., 40.])]
    """
    return _vjp(Trace(), fn, *arrays)
