"""Whether the elements of many arrays are finite, by their bits: exact, and as fast as reading."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs] # it has none
from numba import njit, types
from numba.extending import intrinsic


class Format(NamedTuple):
    """How a dtype keeps its numbers."""

    bits: int
    infinity: int
    """Its bits; without the sign, those of NaN are more, those of all other numbers fewer."""


FORMATS = {
    "float16": Format(16, 0x7C00),
    "bfloat16": Format(16, 0x7F80),
    "float32": Format(32, 0x7F800000),
    "float64": Format(64, 0x7FF << 52),
}


@cache
def checking(dtype: str) -> Callable[..., bool]:
    """A function `(addresses, rows, first, last, column)` of a table's arrays in a column."""
    bits, infinity = FORMATS[dtype]
    zero, size = np.dtype(f"int{bits}").type(0), _size(bits)

    @njit("boolean(int64[:, ::1], int64[:, ::1], int64, int64, int64)", nogil=True, cache=True)
    def check(addresses: Any, rows: Any, first: Any, last: Any, column: Any) -> Any:
        largest = zero
        for row in range(first, last):
            place, start, count, _ = rows[row]
            address = addresses[place, column] + start * (bits // 8)
            for i in range(count):
                largest = max(largest, size(address, i))
        return largest < infinity

    return check


def _size(bits: int) -> Any:
    integer, result = ir.IntType(bits), getattr(types, f"int{bits}")

    @intrinsic
    def size(typing: Any, address: Any, i: Any) -> Any:
        """The bits of a number without its sign, which are ordered as sizes are."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], integer.as_pointer())
            found = builder.load(builder.gep(pointer, [arguments[1]]))
            return builder.and_(found, integer((1 << (bits - 1)) - 1))

        return result(address, i), generate

    return size
