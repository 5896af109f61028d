"""The host kernel: a rule in compiled code, one call for all its parameters."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from optshare.kernels.program import Program
from optshare.kernels.source import PYTHON, Element, element
from optshare.kernels.table import Integers
from optshare.lazy import installed

FIXED = 3
"""The columns of addresses before those of the state: value, new value, gradient."""


class Types(NamedTuple):
    """The dtypes of a kernel's arrays, by name."""

    value: str
    gradient: str
    working: str
    """That of the state, and of the arithmetic."""
    fresh: bool = False
    """Whether new values go elsewhere; else they are written in place of the old ones."""


class Kernel(NamedTuple):
    """Compiled code for one program."""

    element: Element
    run: Callable[..., None]
    """`run(addresses, rows, first, last, constants)`, which does some of the rows."""


DTYPES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""The bytes of an element of each dtype that kernels know."""


VARIABLE = "OPTSHARE_KERNEL"
"""In the environment: `numpy` where nothing is to be compiled."""
Addresses = Callable[[list[Any]], Integers | None]


def is_usable() -> bool:
    """Whether to compile: there is numba, which is imported now, and nobody has said otherwise."""
    return os.environ.get(VARIABLE, "") != "numpy" and _has_numba()


@cache
def _has_numba() -> bool:
    try:
        return installed("numba") is not None
    except ImportError as error:  # it refuses versions of NumPy that it does not know
        warnings.warn(
            f"optshare cannot use numba ({error}); NumPy computes the updates, at a third of the "
            f"speed. Install versions that fit, or uninstall numba, or set {VARIABLE}=numpy.",
            RuntimeWarning,
            stacklevel=2,
        )
        return False


def addresses_like(arrays: list[Any], *, writeable: bool = False) -> Addresses:
    """A function that gives the addresses of NumPy's arrays, `None` if they are unlike these."""
    compiled: Any = _compiled("arrays")
    if compiled.is_readable():
        return compiled.reader(arrays, writeable=writeable)
    layouts = [_layout(each) for each in arrays]

    def read(others: list[Any]) -> Integers | None:
        fits = {np.ndarray}.issuperset(map(type, others))
        fits = fits and [_layout(each) for each in others] == layouts
        if not fits or (writeable and not all(each.flags.writeable for each in others)):
            return None
        return np.array([address(each) for each in others], np.int64)

    return read


def _layout(array: Any) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.strides


def address(array: Any) -> int:
    """Where an array's memory begins."""
    return array.__array_interface__["data"][0]


def checking(dtype: str) -> Callable[..., bool]:
    """A function `(addresses, rows, first, last, column)`: whether all elements are finite."""
    return _compiled("finite").checking(dtype)


@cache
def _compiled(name: str) -> Any:
    return import_module(f"optshare.kernels.compiled.{name}")


@cache
def kernel(program: Program, types: Types, title: str) -> Kernel:
    """The kernel of a program, compiled at its first use or loaded from a file.

    Args:
        program: what a rule computes.
        types: the dtypes.
        title: what to call it, where somebody waits for it.
    """
    found = element(program, PYTHON)
    modules: Any = import_module("optshare.kernels.modules")  # slow, and mostly not needed
    loaded = modules.loaded(written(found, types), f"the {title} kernel for {types.value}")
    return Kernel(found, loaded.kernel)


def written(found: Element, types: Types) -> str:
    """The source of the module of a kernel."""
    value, gradient, working, fresh = types
    columns = [("value", value, 0), ("gradient", gradient, 2)]
    columns += [(f"old{at}", working, FIXED + at) for at in range(len(found.states))]
    stores = {f"new{at}": (working, FIXED + at) for at in found.new}
    stores["moved"] = value, int(fresh)
    moved_at = _place("moved_at", value, 1) if fresh else "        moved_at = value_at"
    lines = [
        "from math import sqrt",
        "from numba import njit",
        "from optshare.kernels.compiled.access import loading, storing",
        "",
        *(_access("loading", f"load_{name}", dtype, working, at) for name, dtype, at in columns),
        *(
            _access("storing", f"store_{name}", dtype, working, at)
            for name, (dtype, at) in stores.items()
        ),
        "",
        f'@njit("void(int64[:, ::1], int64[:, ::1], int64, int64, {working}[:, ::1])", '
        f'cache=True, error_model="numpy", nogil=True)',
        "def kernel(addresses, rows, first, last, constants):",
        "    for row in range(first, last):",
        "        place, start, count, given = rows[row]",
        *(f"        c{at} = constants[given, {at}]" for at in range(len(found.constants))),
        *(_place(f"{name}_at", dtype, at) for name, dtype, at in columns),
        moved_at,
        "        for i in range(count):",
        *(f"            {name} = load_{name}({name}_at, i)" for name, _, _ in columns),
        *(f"            {line}" for line in found.statements),
        *(
            f"            store_new{at}(old{at}_at, i, {source})"
            for at, source in found.new.items()
        ),
        f"            store_moved(moved_at, i, {found.moved})",
    ]
    return "\n".join(lines) + "\n"


def _access(kind: str, name: str, dtype: str, working: str, column: int) -> str:
    return f'{name} = {kind}("{dtype}", "{working}", {column})'


def _place(name: str, dtype: str, column: int) -> str:
    return f"        {name} = addresses[place, {column}] + start * {DTYPES[dtype]}"
