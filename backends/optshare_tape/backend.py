"""The tape as a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optshare_arrays import ops as array_functions
from optshare_arrays import own, plain
from optshare_arrays.gradients import checked_seed

from optshare.extend import BaseBackend, Namespace, Overlay, Pullback
from optshare_tape import variable
from optshare_tape.values import Leaf, Scope, Value, backward


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which frees the record: call it once."""
    scope = Scope()
    leaves = [Leaf(array, scope) for array in arrays]
    try:
        output = fn(*leaves)
    finally:
        scope.closed = True
    if not isinstance(output, Value) or output.scope is not scope:
        return output, lambda g: [None] * len(arrays)

    def pullback(g: Any) -> Sequence[Any]:
        value = output.value
        seed = checked_seed(g, value)
        found = backward(output, seed)
        return own([found.get(leaf) for leaf in leaves], arrays, seed)

    return output.value, pullback


class TapeBackend(BaseBackend):
    """Flux's style: tracked values that link to their inputs."""

    name = "tape"
    ops: Namespace = array_functions

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback."""
        return vjp(fn, *arrays)

    def detach(self, array: Any) -> Any:
        """The plain array."""
        return plain(array)

    def record(self) -> Overlay:
        """A context in which Parameters are tracked."""
        return variable.record()


backend = TapeBackend()
