"""What parameters a function holds: by its attributes and closure, and in the globals it names."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from optshare.boxes import NativeParameter
from optshare.errors import CapabilityError, GradientError
from optshare.parameter import Parameter
from optshare.slots import Slot
from optshare.tree import joined, leaves

Named = list[tuple[str, Any]]


def held_by(f: Any) -> Named:
    """The parameters that a function holds, and those in the globals that it names, by path.

    >>> weight = Parameter([1.0])
    >>> held_by(lambda x: x * weight)
    [('weight', Parameter(array([1.])))]
    """
    found = list(_parameters(f, ""))
    for function in _functions(f):
        for name in _names_in(function.__code__):
            if name in function.__globals__:
                found += _parameters(function.__globals__[name], name)
    return found


def refuse_native(held: Named, arguments: Named) -> None:
    """Raise for parameters that would be constants: those of frameworks' own models."""
    for name, box in [*held, *arguments]:
        if isinstance(box, NativeParameter) and not box.frozen:
            kind = box.known_as.__class__
            raise CapabilityError(
                f"{name} is a {kind.__name__} of {kind.__module__.partition('.')[0]}'s, which "
                f"cannot be read as float64 without being written; use that framework's own "
                f"check, or pass its numbers as arguments"
            )
    for name, box in held:
        if isinstance(box, Slot):
            raise GradientError(
                f"{name} belongs to a framework's model that f holds, and would be a constant; "
                f"pass the model as an argument"
            )


def _parameters(thing: Any, name: str) -> Iterator[tuple[str, Any]]:
    for path, leaf in leaves(thing):
        if isinstance(leaf, Parameter):
            yield joined(name, path) or "f", leaf


def _functions(f: Any) -> Iterator[FunctionType]:
    if isinstance(f, partial):
        yield from _functions(f.func)
    elif isinstance(f, MethodType):
        yield from _functions(f.__func__)
    elif isinstance(f, FunctionType):
        yield f
    else:
        yield from (each for each in _calls(type(f)) if isinstance(each, FunctionType))


def _calls(kind: Any) -> Iterator[Any]:
    """What runs when an object of a type is called."""
    return (owner.__dict__["__call__"] for owner in kind.__mro__ if "__call__" in owner.__dict__)


def _names_in(code: CodeType) -> Iterator[str]:
    """The globals that a function names, also in the functions defined inside."""
    yield from (each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL")
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names_in(each)
