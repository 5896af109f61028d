"""Where a function is checked: every box reads as float64, and nothing that is written stays."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import numpy as np

from optshare import registry
from optshare.errors import GradientError
from optshare.foreign import foreign
from optshare.narrowing import is_numpy
from optshare.overlay import Suspended
from optshare.parameter import Box, Buffer, Parameter, is_floating

Numbers = np.ndarray[Any, Any]


class Unplaced(Exception):  # noqa: N818 # no error: the function is called again
    """A box was read that has no array here yet; where an engine traces, none can be made."""

    def __init__(self, box: Box) -> None:
        super().__init__(f"a {type(box).__name__} of shape {box.shape} was read")
        self.box = box


class Point(Suspended):
    """Numbers in float64 (or complex128) that stand in for those stored in boxes.

    A box is placed before it is read. Parameters that are read are noted in
    `seen`. What is written into Buffers is dropped, so that each call finds the
    same ones. Slots that are not ours, of a differentiation inside the
    function, read as they are.
    """

    __slots__ = ("_arrays", "_numbers", "seen")

    def __init__(self, keys: Iterable[Parameter]) -> None:
        super().__init__()
        self.exclusive = True
        self._numbers: dict[Any, Numbers] = {}
        self._arrays: dict[Any, Any] = {}
        self.seen: dict[Any, None] = {}
        for key in keys:
            self.place(key)

    def read(self, box: Any) -> Any:
        """The numbers of a Parameter here, as an array of its engine."""
        if box.transient and box not in self._numbers:
            return box.stored
        array = self._array(box)
        self.seen[box] = None
        return array

    def read_buffer(self, buffer: Any) -> Any:
        """The numbers of a Buffer; counters and the like as they are."""
        return self._array(buffer) if is_floating(buffer.stored) else buffer.stored

    def fitting(self, buffer: Any, value: Any) -> Any:
        """A value that fits a Buffer as it reads here."""
        return Buffer(self.read_buffer(buffer)).fitting(value)

    def write_buffer(self, buffer: Any, value: Any) -> None:
        """Drop it."""

    def numbers(self, box: Any) -> Numbers:
        """The numbers of a box here, in NumPy's memory."""
        return self._numbers[box]

    def place(self, box: Any) -> None:
        """Let a box read as its numbers in float64."""
        self._put(box, _widened(box.stored))

    @contextmanager
    def moved(self, box: Any, offset: Numbers) -> Generator[None]:
        """A `with` in which one box reads as moved away from here."""
        before = self.numbers(box)
        self._put(box, before + offset)
        try:
            yield
        finally:
            self._put(box, before)

    def require_unwritten(self, names: dict[int, str]) -> None:
        """Raise if the function wrote into an array that it was given."""
        for box, array in self._arrays.items():
            if registry.host_copy(array).tobytes() != self._numbers[box].tobytes():
                raise GradientError(
                    f"f changes {names.get(id(box), 'a Buffer')} in place, so that no two calls "
                    f"see the same numbers; compute a new array instead, or copy it first"
                )

    def _put(self, box: Any, numbers: Any) -> None:
        self._numbers[box] = np.asarray(numbers)
        self._arrays[box] = placed(numbers, box.stored)

    def _array(self, box: Box) -> Any:
        if box not in self._arrays:
            raise Unplaced(box)
        return self._arrays[box]


def placed(numbers: Any, like: Any) -> Any:
    """A copy of numbers as an array of the engine, and on the device, of another."""
    copied = np.array(numbers)
    return copied if is_numpy(like) else foreign().converted(copied, like)


def _widened(array: Any) -> Numbers:
    host = registry.host_copy(array)
    return host.astype(np.complex128 if host.dtype.kind == "c" else np.float64)
