"""The NumPy kernel: a recorded rule as in-place passes over blocks of an array."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import EllipsisType
from typing import Any

import numpy as np

from optshare.dtypes import is_complex
from optshare.kernels.program import Operand, Program
from optshare.kernels.reference import evaluate

BLOCK_BYTES = 512 * 1024
"""The size of a block of each array: a few of them fit in a core's cache together."""

Array = np.ndarray[Any, Any]
Index = tuple[int | slice | EllipsisType, ...]


def _where(condition: Any, x: Any, y: Any, out: Array) -> None:
    np.copyto(out, y)
    np.copyto(out, x, where=condition != 0)


def _squared(x: Any, out: Array) -> None:
    np.multiply(x, x, out=out)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pow": np.power,
    "squared": _squared,
    "where": _where,
}


@dataclass(frozen=True)
class Plan:
    """A program whose every result has a place: a state array, or one of a few scratch blocks."""

    passes: tuple[tuple[Callable[..., Any], tuple[Operand, ...], str, str], ...]
    """(function, operands, result, place); truths are 0 and 1."""
    copies: tuple[tuple[str, str], ...]
    """(state, result) where a new state was not computed in its own place."""
    scratch: int
    step: Operand


@cache
def _planned(program: Program) -> Plan:
    return _Planner(program).plan()


class _Planner:
    """Gives every result a place, and its place to a later one when it is not read any more."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._owners = {result: name for name, result in program.results.items() if name != result}
        self._last = self._last_uses()
        self._places: dict[Operand, str] = {}
        self._free: list[str] = []
        self._scratch = 0

    def _last_uses(self) -> dict[Operand, int]:
        last: dict[Operand, int] = {}
        for at, (_, _, operands) in enumerate(self._program.arrays):
            last.update(dict.fromkeys(operands, at))
        end = len(self._program.arrays)
        last.update(dict.fromkeys(self._owners, end))
        last[self._program.step] = end
        return last

    def plan(self) -> Plan:
        passes: list[Any] = []
        for at, (result, name, operands) in enumerate(self._program.arrays):
            place = self._place(at, result, name, operands)
            function = _FUNCTIONS.get(name) or getattr(np, name)
            passes.append((function, operands, result, place))
        moved = self._program.results.items()
        copies = [(name, r) for name, r in moved if r != name and self._places.get(r) != name]
        return Plan(tuple(passes), tuple(copies), self._scratch, self._program.step)

    def _place(self, at: int, result: str, name: str, operands: tuple[Operand, ...]) -> str:
        read_last = {self._places[o] for o in operands if o in self._places and self._last[o] == at}
        released = sorted(each for each in read_last if each.startswith("scratch"))
        in_place = name != "where"  # which writes before it has read everything
        self._free += released if in_place else []
        owner = self._owners.get(result, "")
        if owner and in_place and self._last.get(owner, -1) <= at:
            self._places[result] = owner
        else:
            self._places[result] = self._free.pop() if self._free else self._new()
        self._free += [] if in_place else released
        return self._places[result]

    def _new(self) -> str:
        self._scratch += 1
        return f"scratch{self._scratch - 1}"


def apply(
    program: Program,
    value: Array,
    gradient: Array,
    state: dict[str, Array],
    scalars: dict[str, float],
    working: Any,
    scale: float = 1.0,
) -> None:
    """Update a value and its state in place, computing in the dtype `working`.

    The gradient is multiplied by `scale`. What it allocates does not grow with the arrays,
    unless they are complex.
    """
    if is_complex(working):
        return _out_of_place(program, value, gradient * scale, state, scalars, working)
    plan = _planned(program)
    dtype = np.dtype(working)
    constants = {name: dtype.type(each) for name, each in scalars.items()}
    arrays = [value, gradient, *state.values()]
    if all(each.flags.c_contiguous for each in arrays):
        arrays = [each.reshape(-1) for each in arrays]
    limit = max(1, BLOCK_BYTES // dtype.itemsize)
    for index in blocks(arrays[0].shape, limit):
        cut = [each[index] for each in arrays]
        _update(plan, cut, dict(zip(state, cut[2:], strict=True)), constants, dtype, scale)


def _out_of_place(
    program: Program,
    value: Array,
    gradient: Array,
    state: dict[str, Array],
    scalars: dict[str, float],
    working: Any,
) -> None:
    """The same where some of the arrays are complex and some are real."""
    new, moved = evaluate(program, np, value, gradient, state, scalars, working)
    np.copyto(value, moved)
    for name, array in new.items():
        np.copyto(state[name], array)


def _update(
    plan: Plan,
    cut: list[Array],
    state: dict[str, Array],
    constants: dict[str, Any],
    dtype: Any,
    scale: float,
) -> None:
    value, gradient = cut[:2]
    converted = value.dtype != dtype or gradient.dtype != dtype or scale != 1.0
    spare = scratch(plan.scratch + 2 * converted, dtype, value.shape)
    known: dict[Operand, Any] = {
        **constants,
        **state,
        "value": _in_dtype(value, dtype, spare, -1),
        "gradient": _scaled(_in_dtype(gradient, dtype, spare, -2), scale, spare),
    }
    place_of = {**state, **{f"scratch{i}": each for i, each in enumerate(spare)}}
    for function, operands, result, place in plan.passes:
        read = [known[each] if isinstance(each, str) else each for each in operands]
        known[result] = place_of[place]
        function(*read, out=place_of[place])
    step = known[plan.step] if isinstance(plan.step, str) else plan.step
    np.subtract(known["value"], step, out=known["value"])
    if known["value"] is not value:
        np.copyto(value, known["value"], casting="same_kind")
    for name, result in plan.copies:  # last, for the step may be an old state
        np.copyto(state[name], known[result])


def _in_dtype(array: Array, dtype: Any, spare: list[Array], place: int) -> Array:
    if array.dtype == dtype:
        return array
    np.copyto(spare[place], array, casting="same_kind")
    return spare[place]


def _scaled(gradient: Array, scale: float, spare: list[Array]) -> Array:
    return gradient if scale == 1.0 else np.multiply(gradient, scale, out=spare[-2])


def flat_pieces(array: Array) -> Iterator[Array]:
    """All elements, in small arrays of one dimension: views, or copies one at a time.

    >>> [each.tolist() for each in flat_pieces(np.eye(2))]
    [[1.0, 0.0, 0.0, 1.0]]
    """
    limit = BLOCK_BYTES // array.itemsize
    return (array[index].ravel(order="K") for index in blocks(array.shape, limit))


def blocks(shape: tuple[int, ...], limit: int) -> Iterator[Index]:
    """Indices that cut an array into pieces of at most `limit` elements."""
    size = math.prod(shape)
    if size <= limit:
        yield (...,)  # which keeps a 0-d array an array
        return
    row = size // shape[0]
    if row > limit:
        for i in range(shape[0]):
            yield from ((i, *rest) for rest in blocks(shape[1:], limit))
        return
    rows = limit // row
    for start in range(0, shape[0], rows):
        yield (slice(start, start + rows),)


_store = threading.local()


def scratch(count: int, dtype: Any, shape: tuple[int, ...]) -> list[Array]:
    """Reused arrays of a shape, this thread's own."""
    size = math.prod(shape)
    kept: dict[Any, list[Array]] = _store.__dict__.setdefault("blocks", {})
    arrays = kept.setdefault(dtype, [])
    if arrays and arrays[0].size < size:
        arrays.clear()
    while len(arrays) < count:
        arrays.append(np.empty(max(size, arrays[0].size if arrays else 0), dtype))
    return [each[:size].reshape(shape) for each in arrays[:count]]
