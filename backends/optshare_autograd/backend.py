"""Autograd as a backend: it gives `vjp`, the base derives the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import BaseBackend, Namespace, Pullback
from optshare_autograd import functions, levels, operators, trace


class AutogradBackend(BaseBackend):
    """HIPS autograd: NumPy's functions, recorded; differentiated to any order."""

    name = "autograd"
    ops: Namespace = functions.ops

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback."""
        return trace.vjp(fn, *arrays)

    def detacher(self) -> Callable[[Any], Any]:
        """A function that strips from a value what is tracked from now on."""
        return levels.detacher()


operators.defer()
backend = AutogradBackend()
