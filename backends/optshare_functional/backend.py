"""The functional engine as a backend: it gives `vjp`, the base derives the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import BaseBackend, Namespace, Pullback
from optshare_arrays import detacher
from optshare_arrays import ops as array_functions
from optshare_functional import trace


class FunctionalBackend(BaseBackend):
    """Knet's style: pure functions of their arguments, differentiated to any order."""

    name = "functional"
    ops: Namespace = array_functions

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback."""
        return trace.vjp(fn, *arrays)

    def detacher(self) -> Callable[[Any], Any]:
        """A function that strips from a value what is tracked from now on."""
        return detacher()


backend = FunctionalBackend()
