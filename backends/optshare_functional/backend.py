"""The functional engine as a backend: it gives `vjp`, the base derives the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import Pullback
from optshare_arrays import ArraysBackend
from optshare_functional import trace


class FunctionalBackend(ArraysBackend):
    """Knet's style: pure functions of their arguments, differentiated to any order."""

    name = "functional"

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback."""
        return trace.vjp(fn, *arrays)


backend = FunctionalBackend()
