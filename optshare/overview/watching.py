"""Watching which parts of a model are called, from outside: no layer takes part in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType
from typing import Any

from optshare.tree import children, joined, parts


@dataclass
class Call:
    """One call of a part of a model."""

    path: str
    part: Any
    began: int
    """What the clock showed when it began."""
    within: Call | None
    """The call of the part that called this one."""
    output: Any = None
    ended: int = 0
    inside: list[Call] = field(default_factory=list["Call"])

    @property
    def own(self) -> int:
        """What the clock counted here, outside of the calls inside."""
        return self.ended - self.began - sum(each.ended - each.began for each in self.inside)


@contextmanager
def watched(model: Any, clock: Callable[[], int]) -> Generator[list[Call]]:
    """A `with` that lists the calls of the callable parts of a model, in the order they begin.

    A part is an object with `__call__`, or a function among the members of a
    container; builtin functions are not seen. Another profiler rests meanwhile.

    Args:
        model: any object.
        clock: read when a call begins and when it ends.
    """
    watch = _Watch(model, clock)
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield watch.calls
    finally:
        sys.setprofile(before)


class _Watch:
    """A profile function: Python calls it where functions begin and end."""

    def __init__(self, model: Any, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._parts: dict[int, tuple[str, Any]] = {}
        self._functions: dict[CodeType, list[tuple[str, Any]]] = {}
        for path, part in parts(model):
            if isinstance(part, list | tuple | dict):
                self._note_functions(path, part)
            elif callable(part) and not isinstance(part, type | FunctionType):
                self._parts[id(part)] = path, part
        self.calls: list[Call] = []
        self._open: list[tuple[FrameType, Call]] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note what begins, and what ends."""
        if event == "call":
            found = self._part(frame)
            if found is not None:
                self._begin(frame, *found)
        elif event == "return" and self._open and self._open[-1][0] is frame:
            call = self._open.pop()[1]
            call.output, call.ended = argument, self._clock()

    def _note_functions(self, path: str, container: Any) -> None:
        """Functions are parts of a model where they are members of a container."""
        for name, member in children(container):
            if isinstance(member, FunctionType):
                places = self._functions.setdefault(member.__code__, [])
                places.append((joined(path, name), member))

    def _part(self, frame: FrameType) -> tuple[str, Any] | None:
        if frame.f_code.co_name == "__call__":
            return self._parts.get(id(frame.f_locals.get("self")))
        places = self._functions.get(frame.f_code)
        if not places:
            return None
        places.append(places.pop(0))  # the next call is that of the next place
        return places[-1]

    def _begin(self, frame: FrameType, path: str, part: Any) -> None:
        around = self._open[-1][1] if self._open else None
        call = Call(path, part, self._clock(), around)
        if around is not None:
            around.inside.append(call)
        self.calls.append(call)
        self._open.append((frame, call))
