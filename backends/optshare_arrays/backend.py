"""What both engines are as backends, but for what they track."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import BaseBackend, Namespace
from optshare_arrays.devices import on_host
from optshare_arrays.differentiation import detacher
from optshare_arrays.namespace import ops


class ArraysBackend(BaseBackend):
    """A backend over NumPy and CuPy."""

    ops: Namespace = ops

    def detacher(self) -> Callable[[Any], Any]:
        """A function that strips from a value what is tracked from now on."""
        return detacher()

    def unit(self, value: Any) -> Any:
        """The cotangent that a scalar's backward pass begins with; the engine converts it."""
        return 1

    def host_copy(self, array: Any) -> Any:
        """The numbers of an array in NumPy's memory."""
        return super().host_copy(on_host(array))
