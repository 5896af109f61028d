"""When two functions may share a trace: one code, and the same things captured."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

NUMBERS = (bool, int, float, complex, str, bytes, type(None), np.generic)


class Signature:
    """A function as a key: its code, and what it captures by identity, numbers by value.

    Attributes and members of what it captures are not looked at. `held` keeps
    alive what the key knows by its id.
    """

    def __init__(self, fn: Any) -> None:
        self.held: list[Any] = []
        self._seen: set[int] = set()
        self.key = self._of(fn)

    def _of(self, thing: Any) -> Hashable:
        if isinstance(thing, NUMBERS):
            return _number(thing)
        if isinstance(thing, FunctionType):
            return self._of_function(thing)
        if isinstance(thing, MethodType):
            return "method", self._of(thing.__func__), self._of(thing.__self__)
        if isinstance(thing, partial):
            parts = (thing.func, *thing.args, *thing.keywords.values())
            return "partial", tuple(thing.keywords), tuple(map(self._of, parts))
        self.held.append(thing)
        return id(thing)

    def _of_function(self, fn: FunctionType) -> Hashable:
        if id(fn) in self._seen:  # it calls itself
            return "again"
        self._seen.add(id(fn))
        captured = tuple(map(self._of, _captured(fn)))
        module = fn.__globals__
        read = tuple(
            (name, self._of_global(module[name], module))
            for name in _names(fn.__code__)
            if name in module
        )
        return fn.__code__, captured, read

    def _of_global(self, thing: Any, module: dict[str, Any]) -> Hashable:
        """A function of the same module may read other globals of it; others are what they are."""
        if isinstance(thing, FunctionType) and thing.__globals__ is not module:
            self.held.append(thing)
            return id(thing)
        return self._of(thing)


def _number(thing: Any) -> Hashable:
    return thing.__class__, repr(thing)


def _captured(fn: FunctionType) -> Iterator[Any]:
    for cell in fn.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # the variable is not bound yet
            yield None
    yield from fn.__defaults__ or ()
    yield from (fn.__kwdefaults__ or {}).values()


def code_of(fn: Any) -> Any:
    """What stays the same of a function that is made anew for each call."""
    if isinstance(fn, MethodType):
        return code_of(fn.__func__)
    if isinstance(fn, partial):
        return code_of(next(filter(callable, fn.args), fn.func))
    return getattr(fn, "__code__", fn.__class__)


@cache
def _names(code: CodeType) -> tuple[str, ...]:
    """The names that a function and those inside it may read from their module."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return tuple(dict.fromkeys([*code.co_names, *(name for one in inner for name in _names(one))]))
