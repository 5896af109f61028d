"""Which of its arguments a function mentions: what a VJP does not, need not be kept for it."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any

Function = Callable[..., Any]


@cache
def _loaded(code: CodeType) -> frozenset[str]:
    """The names of the local variables that a function's code loads."""
    names = set(code.co_cellvars)
    for each in dis.get_instructions(code):
        if "LOAD_FAST" in each.opname:  # also within STORE_FAST_LOAD_FAST and its like
            loaded: str | tuple[str, ...] = each.argval  # since Python 3.13 one may load two
            names.update([loaded] if isinstance(loaded, str) else loaded)
    return frozenset(names)


def mentions(function: Function, place: int) -> bool:
    """Whether a function loads its positional argument at a place; True if that is unknown.

    >>> mentions(lambda g, y, x: g * y, 2)
    False
    >>> mentions(lambda g, *arrays: arrays[0], 2)
    True
    """
    if not isinstance(function, FunctionType):
        return True
    code = function.__code__
    if place < code.co_argcount:
        return code.co_varnames[place] in _loaded(code)
    if not code.co_flags & inspect.CO_VARARGS:
        return False
    return code.co_varnames[code.co_argcount + code.co_kwonlyargcount] in _loaded(code)
