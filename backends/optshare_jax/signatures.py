"""When two functions may share a trace: one code, and the same things captured."""

from __future__ import annotations

import dis
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, cast

import numpy as np

EXACT = (bool, int, str, bytes, type(None))
NUMBERS = (float, complex, np.number, np.bool_)


class Names(NamedTuple):
    """What a function, with those inside it, may read by name."""

    module: tuple[str, ...]
    attributes: tuple[str, ...]


class Signature:
    """A function as a key: its code, and what it captures.

    Numbers and text count by value, functions by their own signature, other
    things by identity. Of these the attributes that the code reads are looked at
    too, and the members of tuples; nothing deeper, and nothing that the code
    itself writes. `held` keeps alive what the key knows by its id.
    """

    def __init__(self, fn: Any) -> None:
        self.held: list[Any] = []
        self.written: list[Any] = []
        """The arrays of NumPy's among what it captures, whose numbers may change in place."""
        self._order: dict[int, int] = {}
        self.key = self._of(fn)

    def _of(self, thing: Any, names: Sequence[str] = ()) -> Hashable:
        if isinstance(thing, EXACT):
            return thing.__class__, thing
        if isinstance(thing, NUMBERS):
            return _number(thing)
        if isinstance(thing, FunctionType):
            return self._of_function(thing)
        if isinstance(thing, MethodType):
            return "method", self._of(thing.__func__), self._of(thing.__self__, _names(thing))
        if isinstance(thing, partial):
            parts = (thing.func, *thing.args, *thing.keywords.values())
            return "partial", tuple(thing.keywords), tuple(map(self._of, parts))
        return self._of_object(thing, names)

    def _of_object(self, thing: Any, names: Sequence[str]) -> Hashable:
        self.held.append(thing)
        if _is_numpy(thing):
            self.written.append(thing)
        inner = _parts(thing, names)
        return id(thing), tuple((name, self._shallow(each)) for name, each in inner.items())

    def _shallow(self, thing: Any) -> Hashable:
        """A part of something captured: not looked into, unless it is a function."""
        method = isinstance(thing, MethodType)
        return self._of(thing.__func__ if method else thing)

    def _of_function(self, fn: FunctionType) -> Hashable:
        if id(fn) in self._order:
            return "again", self._order[id(fn)]
        self._order[id(fn)] = len(self._order)
        if _is_of_a_library(fn):
            self.held.append(fn)
            return id(fn)
        names, module = _read_by(fn.__code__), fn.__globals__
        found = [*_captured(fn), *(module.get(name) for name in names.module)]
        return fn.__code__, tuple(self._of(each, names.attributes) for each in found)


def _is_numpy(thing: Any) -> bool:
    return isinstance(thing, np.ndarray)


def _number(thing: Any) -> Hashable:
    return thing.__class__, repr(thing)


def _names(function: Any) -> tuple[str, ...]:
    plain = getattr(function, "__func__", function)
    known = isinstance(plain, FunctionType) and not _is_of_a_library(plain)
    return _read_by(plain.__code__).attributes if known else ()


def _parts(thing: Any, names: Sequence[str]) -> dict[Any, Any]:
    """The members of a tuple; or the attributes of these names, and those that methods read."""
    if isinstance(thing, tuple):
        return dict(enumerate(cast(tuple[Any, ...], thing)))
    if not hasattr(thing, "__dict__") or isinstance(thing, ModuleType):
        return {}
    found = _attributes(thing, names)
    inner = [name for each in found.values() for name in _names(each)]
    return {**_attributes(thing, inner), **found}


def _attributes(thing: Any, names: Iterable[str]) -> dict[str, Any]:
    own: dict[str, Any] = thing.__dict__
    kind: Any = thing.__class__
    return {
        name: own[name] if name in own else getattr(kind, name)
        for name in names
        if name in own or hasattr(kind, name)
    }


def _is_of_a_library(fn: FunctionType) -> bool:
    """Whether a function is installed, so that what it reads of its module does not change."""
    module = fn.__globals__
    file, name = module.get("__file__"), str(module.get("__name__")).partition(".")[0]
    if file is None:
        return False
    return name.startswith("optshare") or "site-packages" in file or file.startswith(_LIBRARY)


_LIBRARY = str(sys.modules["dis"].__file__).rpartition("dis.py")[0]
"""Where Python's own modules are."""


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
def _read_by(code: CodeType) -> Names:
    found = list(dis.get_instructions(code))
    inner = [_read_by(each) for each in code.co_consts if isinstance(each, CodeType)]

    def named(*operations: str) -> dict[str, None]:
        return {str(each.argval): None for each in found if each.opname in operations}

    module = named("LOAD_GLOBAL", "LOAD_NAME").keys() - named("STORE_GLOBAL").keys()
    attributes = named("LOAD_ATTR", "LOAD_METHOD").keys() - named("STORE_ATTR").keys()
    return Names(
        tuple(sorted(module.union(*(each.module for each in inner)))),
        tuple(sorted(attributes.union(*(each.attributes for each in inner)))),
    )
