"""The boxes of frameworks' own parameters: one for each, found by identity."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar

from optshare.errors import ParameterError
from optshare.parameter import Parameter

B = TypeVar("B")


class NativeParameter(Parameter):
    """A framework's own parameter as a key: its identity is the framework's object, `native`."""

    __slots__ = ("native",)
    transient = True

    def __init__(self, native: Any) -> None:
        self.native = native
        self.recipe = None
        self.version = 0

    @property
    def known_as(self) -> Any:
        """The framework's object."""
        return self.native

    def migrate(self, array: Any) -> NoReturn:
        """Refuse: the framework moves its own."""
        raise ParameterError(
            "a native parameter is moved by its own framework, such as module.to(...)"
        )

    def __copy__(self) -> Any:
        return self


class Boxes(Generic[B]):
    """The living boxes by the id of what each of them keeps alive.

    >>> boxes = Boxes(lambda thing: NativeParameter(thing))
    >>> thing = object()
    >>> box = boxes.of(thing)
    >>> boxes.of(thing) is box
    True
    """

    def __init__(self, make: Callable[[Any], B]) -> None:
        self._make = make
        self._living: weakref.WeakValueDictionary[int, B] = weakref.WeakValueDictionary()

    def of(self, native: Any) -> B:
        """The box of a framework's object."""
        box = self._living.get(id(native))
        if box is None:
            box = self._living[id(native)] = self._make(native)
        return box
