"""Where NumPy's arrays are, read by compiled code: a hundredth of a microsecond for each.

It reads the structures of CPython's lists and NumPy's arrays, whose layout is part of NumPy's
binary interface. `is_readable` compares what it finds with what NumPy says, once; where they
differ, as in an interpreter of another build, nothing of this is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs] # it has none
from numba import njit, types
from numba.extending import intrinsic

Arrays = Sequence[np.ndarray[Any, Any]]
Integers = np.ndarray[Any, np.dtype[np.int64]]
Reader = Callable[[list[Any]], Integers | None]

ITEMS = 24
"""Where a list has the address of its items."""
KIND, DATA, NDIM, SHAPE, STRIDES, DTYPE, FLAGS = 8, 16, 24, 32, 40, 56, 64
"""Where an array has its type, its memory, and so on."""
ORDER, NUMBER = 26, 28
"""Where a dtype has its order of bytes and its number."""
NATIVE = ord("=")
WRITEABLE = 0x0400


def reader(arrays: Arrays, *, writeable: bool = False) -> Reader:
    """A function that gives the addresses of arrays, or `None` if they are not like those given.

    Args:
        arrays: examples, of one dtype; shapes, strides and dtype count.
        writeable: whether the arrays must be writeable.

    >>> one = np.ones(3)
    >>> read = reader([one])
    >>> read([one])[0] == one.ctypes.data, read([np.ones(4)])
    (np.True_, None)
    """
    shapes = np.array([each for array in arrays for each in array.shape], np.int64)
    strides = np.array([each for array in arrays for each in array.strides], np.int64)
    ndims = np.array([array.ndim for array in arrays], np.int64)
    numbers = np.array([array.dtype.num for array in arrays], np.int64)
    wanted = WRITEABLE if writeable else 0

    def read(others: list[Any]) -> Integers | None:
        found = np.empty(len(ndims), np.int64)
        if len(others) != len(ndims):
            return None
        fits = _read(id(others), id(np.ndarray), ndims, shapes, strides, numbers, wanted, found)
        return found if fits else None

    return read


@cache
def is_readable() -> bool:
    """Whether arrays are built as this module believes."""
    view = np.zeros((4, 6), np.float32)[::2, 1::2]
    for array in (view, view.T, np.zeros(()), np.zeros((2, 0, 3), np.float16)):
        others = [np.zeros((3, 4)), np.zeros((4, 6), np.float32)[::2, ::3], view.astype(">f4")]
        read = reader([array])
        found = read([array])
        if found is None or found[0] != array.__array_interface__["data"][0]:
            return False
        if any(read([each]) is not None for each in others):
            return False
    fixed = np.zeros(3)
    fixed.flags.writeable = False
    return reader([fixed], writeable=True)([fixed]) is None


def _peeking(bits: int) -> Any:
    integer = ir.IntType(bits)

    @intrinsic
    def peek(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], integer.as_pointer())
            found = builder.load(pointer)
            return found if bits == 64 else builder.sext(found, ir.IntType(64))

        return types.int64(address), generate

    return peek


_word, _half, _byte = _peeking(64), _peeking(32), _peeking(8)


@njit(
    "boolean(int64, int64, int64[::1], int64[::1], int64[::1], int64[::1], int64, int64[::1])",
    cache=True,
)
def _read(
    items: Any,
    kind: Any,
    ndims: Any,
    shapes: Any,
    strides: Any,
    numbers: Any,
    wanted: Any,
    found: Any,
) -> Any:
    first, place = _word(items + ITEMS), 0
    for at in range(ndims.size):
        array = _word(first + 8 * at)
        if _word(array + KIND) != kind or _half(array + NDIM) != ndims[at]:
            return False
        dtype = _word(array + DTYPE)
        if _half(dtype + NUMBER) != numbers[at] or _byte(dtype + ORDER) != NATIVE:
            return False
        if _half(array + FLAGS) & wanted != wanted:
            return False
        shape, stride = _word(array + SHAPE), _word(array + STRIDES)
        for axis in range(ndims[at]):
            if _word(shape + 8 * axis) != shapes[place]:
                return False
            if _word(stride + 8 * axis) != strides[place]:
                return False
            place += 1
        found[at] = _word(array + DATA)
    return True
