"""The CUDA kernel: one launch updates all the arrays of a table, on CuPy's current stream."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from optshare.kernels.halves import C_TYPES, CONVERSIONS
from optshare.kernels.program import Program
from optshare.kernels.source import CUDA, Element, element

PIECE = 4096
"""How many elements a block should be given at most.

A block reads its row, then its pointers, before it can ask for its elements: it waits twice for
the memory, and should move much more than that costs. Adam in float32 moves 112 KB of 4096
elements. Much longer pieces would leave some processors idle at the end: 10 million elements are
2442 pieces, 18 for each of an H100's 132 processors.
"""
THREADS = 256
"""The threads of a block: a small part of the 2048 of a processor, so that some blocks begin
while others compute."""
AT_ONCE = 2
"""How many elements a thread reads before it computes.

What bounds such a kernel is how many bytes are under way: by Little's law an H100 wants some
20 KB for each processor (3.35 TB/s times 0.7 µs, over 132). Adam in float32 takes 40 registers
a thread, so that 1536 threads share a processor; with two elements of four arrays each they ask
for 48 KB, and SGD's 2048 for 32 KB. With four elements Adam takes 94 registers, which leaves 512
threads and 32 KB. Wider reads would need an alignment that views have not got; neighbouring
threads read neighbouring elements as it is.
"""

OPTIONS = ("--fmad=false",)
"""A product and a sum are rounded each by itself, as on the host; division and `sqrt` are exact
to the last bit by default."""

TEMPLATE = """
extern "C" __global__ void __launch_bounds__({threads})
{name}(const long long* pointers, const long long* rows, const {working}* constants)
{{
    typedef {working} T;
    const long long* row = rows + 4 * (long long)blockIdx.x;
    const long long* places = pointers + {columns} * row[0];
    const long long first = row[1], count = row[2];
    {addresses}
    {constants}
    for (long long start = threadIdx.x; start < count; start += {at_once} * blockDim.x) {{
        {held}
        #pragma unroll
        for (int k = 0; k < {at_once}; ++k) {{
            const long long i = start + k * blockDim.x;
            if (i < count) {{
                {reads}
            }}
        }}
        #pragma unroll
        for (int k = 0; k < {at_once}; ++k) {{
            const long long i = start + k * blockDim.x;
            if (i < count) {{
                {statements}
            }}
        }}
    }}
}}
"""


class Types(NamedTuple):
    """The dtypes of a kernel, by the Array API standard's names and `bfloat16`."""

    value: str
    gradient: str
    working: str
    """That of the state, the constants and the arithmetic: float32 or float64."""


def source(program: Program, types: Types, name: str = "update") -> str:
    """The CUDA C++ of a program: `kernel` after the conversions that it calls."""
    return CONVERSIONS + kernel(program, types, name)


def kernel(program: Program, types: Types, name: str) -> str:
    """The function of a program: a block for each row, whose threads go through its elements.

    Raises:
        ValueError: there is no kernel for a dtype.

    >>> from optshare.kernels.program import DESCENT
    >>> written = kernel(DESCENT, Types("float16", "float32", "float32"), "descend")
    >>> "const T moved = value - scaled;" in written, "Half* moved_at" in written
    (True, True)
    """
    _require_known(types)
    return _written(element(program, CUDA), types, name)


def _require_known(types: Types) -> None:
    for role, dtype in types._asdict().items():
        choices = ["float32", "float64"] if role == "working" else list(C_TYPES)
        if dtype not in choices:
            raise ValueError(
                f"the CUDA kernel has no {role} dtype {dtype!r}; choices: {', '.join(choices)}"
            )


def _written(its: Element, types: Types, name: str) -> str:
    value, gradient, working = (C_TYPES[dtype] for dtype in types)
    states = [(working, f"old{place}") for place in range(len(its.states))]
    inputs = [(value, "value"), (gradient, "gradient"), *states]
    columns = [(value, "value"), (value, "moved"), *inputs[1:]]
    new = [(f"old{place}", found) for place, found in its.new.items()]
    return TEMPLATE.format(
        name=name,
        working=working,
        threads=THREADS,
        at_once=AT_ONCE,
        columns=len(columns),
        addresses=_lines(1, (_address(i, *each, new) for i, each in enumerate(columns))),
        constants=_lines(1, _constants(len(its.constants))),
        held=_lines(2, (f"{kind} {each}_held[{AT_ONCE}];" for kind, each in inputs)),
        reads=_lines(4, (f"{each}_held[k] = {each}_at[i];" for _, each in inputs)),
        statements=_lines(4, [*_unpacked(inputs), *its.statements, *_stores(new)]),
    )


def _address(place: int, kind: str, name: str, new: list[tuple[str, str]]) -> str:
    written = name == "moved" or name in dict(new)
    return f"{'' if written else 'const '}{kind}* {name}_at = ({kind}*)places[{place}] + first;"


def _constants(count: int) -> list[str]:
    return [f"const T c{i} = constants[{count} * row[3] + {i}];" for i in range(count)]


def _unpacked(inputs: list[tuple[str, str]]) -> list[str]:
    return [f"const T {each} = widened({each}_held[k]);" for _, each in inputs]


def _stores(new: list[tuple[str, str]]) -> list[str]:
    pairs = [("moved", "moved"), *new]
    return [f"store({each}_at + i, {found});" for each, found in pairs]


def _lines(depth: int, lines: Any) -> str:
    return ("\n" + 4 * depth * " ").join(lines)


class CudaKernel:
    """A program for arrays on a CUDA device; one call updates all rows of a table.

    The call returns before the device has done its work. Who calls it enters the device of the
    arrays, and a stream that is in order with whoever computes and reads them, as a backend's
    `device_stream` gives it; a table stays on the device until another one comes.

    Args:
        program: what to compute, of real numbers.
        types: the dtypes.

    Raises:
        ValueError: there is no kernel for a dtype.

    >>> from optshare.kernels.program import DESCENT
    >>> CudaKernel(DESCENT, Types("float32", "float32", "float32")).element.constants
    ('scale',)
    """

    def __init__(self, program: Program, types: Types) -> None:
        self.element = element(program, CUDA)
        self._source = source(program, types)
        self._pointers, self._rows = _Table(), _Table()

    def __call__(self, pointers: Any, rows: Any, constants: Any) -> None:
        """Update all rows.

        Args:
            pointers: int64 (parameters, 3 + states): the addresses of a value, of where its new
                one goes, which may be the same, of its gradient, and of each state array.
            rows: int64 (pieces, 4): the place in `pointers`, the first element, how many there
                are (at best not more than `PIECE`), the place in `constants`; no two pieces
                may have elements in common.
            constants: (sets, constants), of the working dtype, from `element.numbers`.

        Raises:
            ImportError: CuPy is not installed.
        """
        if not len(rows):
            return
        cupy: Any = import_module("cupy")
        tables = self._pointers.on_device(cupy, pointers), self._rows.on_device(cupy, rows)
        numbers = cupy.asarray(np.ascontiguousarray(constants))
        _compiled(self._source)((len(rows),), (THREADS,), (*tables, numbers))


class _Table:
    """A table of the host on the device."""

    def __init__(self) -> None:
        self._known: Any = None
        self._place: Any = None
        self._uploaded: Any = None

    def on_device(self, cupy: Any, table: Any) -> Any:
        """The table there; uploaded if it has changed, or another stream would have to wait."""
        place = cupy.cuda.runtime.getDevice(), cupy.cuda.get_current_stream().ptr
        if place != self._place or not np.array_equal(table, self._known):
            self._known, self._place = np.array(table, np.int64), place
            self._uploaded = cupy.asarray(self._known)
        return self._uploaded


@cache
def _compiled(text: str) -> Any:
    """CuPy compiles it at the first launch on each device, and keeps the result in files."""
    cupy: Any = import_module("cupy")
    return cupy.RawKernel(text, "update", OPTIONS)
