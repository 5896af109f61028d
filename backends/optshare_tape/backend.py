"""The tape as a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from optshare.extend import Overlay, Pullback
from optshare_arrays import ArraysBackend, Scope, plain
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

    def gradient(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The plain value of `fn(*args)`, and its gradient for each key, after its hooks."""
        value, gradients = super().gradient(fn, keys, *args)
        return value, list(map(variable.after_hooks, keys, gradients))

    def host_view(self, array: Any) -> np.ndarray[Any, Any] | None:
        """The memory of an array, or of the one under a tracked value, such as a `.grad`."""
        return super().host_view(plain(array))

    def device_view(self, array: Any) -> Any:
        """An array of CuPy's, or the one under a tracked value."""
        return super().device_view(plain(array))

    def device_stream(self, array: Any) -> AbstractContextManager[Any]:
        """CuPy's own current stream, on the device of an array."""
        return super().device_stream(plain(array))

    def record(self) -> Overlay:
        """A context in which Parameters are tracked."""
        return variable.record()


backend = TapeBackend()
