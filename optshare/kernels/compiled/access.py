"""Reading and writing elements at addresses, for code that numba compiles.

Each array of a kernel has a scope of its own. What is said to be in different scopes never
overlaps, so that LLVM needs no checks at run time and computes many elements at once. Numba's
own arrays carry no such promise, and LLVM gives up on more than a few of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs] # it has none
from numba import types
from numba.extending import intrinsic

Access = Callable[..., Any]

_HALF, _BITS = ir.HalfType(), ir.IntType(16)
_SINGLE, _SINGLE_BITS = ir.FloatType(), ir.IntType(32)
_WORD = ir.IntType(64)
_SIZE = _WORD(2**63 - 1)
"""All bits of a double but its sign."""
_STORED: dict[str, Any] = {
    "float16": _HALF,
    "bfloat16": _BITS,
    "float32": _SINGLE,
    "float64": ir.DoubleType(),
}
"""How LLVM keeps an element of each dtype in memory."""
_RANK = {"float16": 0, "bfloat16": 0, "float32": 1, "float64": 2}


@cache
def loading(dtype: str, working: str, scope: int) -> Access:
    """A function `(address, i)` that reads the i-th element as one of the working dtype."""
    result = types.float64 if working == "float64" else types.float32

    @intrinsic
    def load(typing: Any, address: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _place(builder, dtype, *arguments)
            found = builder.load(place)
            _say(builder, found, scope)
            return _converted(builder, found, dtype, working)

        return result(address, i), generate

    return load


@cache
def storing(dtype: str, working: str, scope: int) -> Access:
    """A function `(address, i, x)` that writes the i-th element, rounded to the nearest."""

    @intrinsic
    def store(typing: Any, address: Any, i: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            address, i, x = arguments
            place = _place(builder, dtype, address, i)
            _say(builder, builder.store(_converted(builder, x, working, dtype), place), scope)
            return context.get_dummy_value()

        return types.void(address, i, x), generate

    return store


def _place(builder: Any, dtype: str, address: Any, i: Any) -> Any:
    pointer = builder.inttoptr(address, _STORED[dtype].as_pointer())
    return builder.gep(pointer, [i])


def _say(builder: Any, instruction: Any, scope: int) -> None:
    """Tell LLVM the scope of a memory access, and that it meets no other scope."""
    module = builder.module
    domain = module.add_metadata([ir.MetaDataString(module, "optshare")])
    scopes = [
        module.add_metadata([ir.MetaDataString(module, f"array {each}"), domain])
        for each in range(SCOPES)
    ]
    others = [each for place, each in enumerate(scopes) if place != scope]
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[scope]]))
    instruction.set_metadata("noalias", module.add_metadata(others))


SCOPES = 32
"""More than a kernel has arrays."""


def _converted(builder: Any, x: Any, dtype: str, other: str) -> Any:
    """A number of one dtype in another one."""
    if dtype == other:
        return x
    if dtype == "bfloat16":
        wide = builder.shl(builder.zext(x, _SINGLE_BITS), _SINGLE_BITS(16))
        return _converted(builder, builder.bitcast(wide, _SINGLE), "float32", other)
    if dtype == "float64" and other in ("float16", "bfloat16"):
        return _converted(builder, _to_odd(builder, x), "float32", other)
    if other == "bfloat16":
        return _as_bfloat16(builder, _converted(builder, x, dtype, "float32"))
    if _RANK[other] > _RANK[dtype]:
        return builder.fpext(x, _STORED[other])
    return builder.fptrunc(x, _STORED[other])


def _to_odd(builder: Any, x: Any) -> Any:
    """A double in single precision, rounded so that rounding it again is rounding once.

    Of its two neighbours it is the one whose last bit is 1, which is no middle of two halves.
    """
    nearest = builder.fptrunc(x, _SINGLE)
    back = builder.fpext(nearest, ir.DoubleType())
    size, its_size = (builder.and_(builder.bitcast(each, _WORD), _SIZE) for each in (x, back))
    bits = builder.bitcast(nearest, _SINGLE_BITS)
    larger = builder.icmp_unsigned(">", size, its_size)
    other = builder.select(larger, _SINGLE_BITS(1), _SINGLE_BITS(-1))
    even = builder.not_(builder.trunc(bits, ir.IntType(1)))
    inexact = builder.fcmp_ordered("one", x, back)
    moved = builder.select(builder.and_(inexact, even), other, _SINGLE_BITS(0))
    return builder.bitcast(builder.add(bits, moved), _SINGLE)


def _as_bfloat16(builder: Any, x: Any) -> Any:
    """The upper half of a number in single precision, rounded to the nearest, ties to even."""
    bits = builder.bitcast(x, _SINGLE_BITS)
    upper = builder.lshr(bits, _SINGLE_BITS(16))
    odd = builder.and_(upper, _SINGLE_BITS(1))
    rounded = builder.add(bits, builder.add(odd, _SINGLE_BITS(0x7FFF)))
    number = builder.trunc(builder.lshr(rounded, _SINGLE_BITS(16)), _BITS)
    nan = builder.or_(builder.trunc(upper, _BITS), _BITS(0x40))
    return builder.select(builder.fcmp_unordered("uno", x, x), nan, number)


assert np.dtype(np.intp).itemsize == 8, "the compiled kernels need 64-bit addresses"
