"""The functions of arrays without numbers, by their names in `ops`, in NumPy and in `operator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.namespace.completed import complete
from optshare.namespace.protocol import Namespace

Function = Callable[..., Any]

BY_NAME: dict[str, Function] = {}
"""The functions of `ops`."""

NN: dict[str, Function] = {}
"""The functions of `ops.nn`."""

BY_NUMPY: dict[Function, Function] = {}
"""NumPy's functions, and ours that stand in for them."""

BY_OPERATOR: dict[Function, Function] = {}
"""The functions of `operator`, and ours."""

RANDOM: dict[str, Function] = {}
"""The functions of `ops.random`."""

ANY_UFUNC: list[Function] = []
"""The one function that makes ours of a universal function of anybody's."""


def stands_for(*functions: Function, name: str = "") -> Callable[[Function], Function]:
    """Register a function as ours for some of NumPy's, and under a name in `ops`."""

    def register(ours: Function) -> Function:
        for each in functions:
            BY_NUMPY[each] = ours
        if name:
            BY_NAME[name] = ours
        return ours

    return register


class _Named:
    """The functions of a table, as attributes."""

    def __init__(self, functions: dict[str, Function]) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(name) from None


ops: Namespace = complete(_Named(BY_NAME), nn=_Named(NN), random=_Named(RANDOM))
"""The functions of arrays without numbers, and beside them of constants: numbers and arrays.

What is not in the tables is composed, as it is for a backend.

>>> import numpy as np
>>> from optshare.shapes import Shaped
>>> ops.nn.softmax(Shaped((5, 10), np.float32))
Shaped((5, 10), float32)
"""
