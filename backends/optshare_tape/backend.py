"""The tape as a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import Overlay, Pullback
from optshare_arrays import ArraysBackend, Scope
from optshare_arrays import vjp as _vjp
from optshare_tape import variable
from optshare_tape.values import Value


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which frees the record: call it once."""
    return _vjp(Scope(Value), fn, *arrays, free=True)


class TapeBackend(ArraysBackend):
    """Flux's style: tracked values that link to their inputs."""

    name = "tape"

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback."""
        return vjp(fn, *arrays)

    def record(self) -> Overlay:
        """A context in which Parameters are tracked."""
        return variable.record()


backend = TapeBackend()
