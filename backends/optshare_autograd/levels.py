"""Levels: which differentiation is inside which."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from optshare_autograd.library import is_box, tracer


class Levels:
    """The levels of differentiations: a later one is higher, in whichever thread it began.

    Autograd counts up and down, in one number for all threads, and an exception
    leaves it up. Here it is only raised, and by enough that autograd's own
    differentiations that end meanwhile do not let a level come twice.
    """

    MARGIN = 1000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def now(self) -> int:
        """A level that no value has yet passed, and that every later one passes."""
        return max(self._last, tracer.trace_stack.top)

    def next(self) -> int:
        """The level of a new differentiation."""
        with self._lock:
            level = self.now() + 1
            self._last = tracer.trace_stack.top = level + self.MARGIN
        return level


levels = Levels()


def detacher() -> Callable[[Any], Any]:
    """A function that strips from a value what is tracked from now on."""
    level = levels.now()

    def detach(value: Any) -> Any:
        while is_box(value) and value._trace > level:
            value = value._value
        return value

    return detach
