"""Arrays on a GPU, CuPy's: what NumPy's dispatch does not reach; nobody else imports CuPy."""

from __future__ import annotations

import re
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from optshare_arrays.primitives import plain
from optshare_arrays.untyped import np


def is_on_device(x: Any) -> bool:
    """Whether an array is one of CuPy's."""
    return hasattr(x, "__cuda_array_interface__")


def converted(x: Any, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """An array of what is given, where it is already or, if a device is named, there.

    Args:
        x: an array of NumPy's or CuPy's, numbers, or lists of them.
        dtype: that of x by default.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, or one of CuPy's devices; by default where x is.
        copy: as NumPy's.

    Raises:
        ValueError: there is no such device, or no CuPy.
    """
    if device is None:
        device = x.device if is_on_device(x) else "cpu"
    if isinstance(device, str) and not device.startswith("cuda"):
        return np.asarray(on_host(x), dtype, device=device, copy=copy)
    cupy: Any = _cupy()
    with _entered(cupy, device):
        return cupy.array(x, dtype, copy=True) if copy else cupy.asarray(x, dtype)


def on_host(x: Any) -> Any:
    """The numbers of an array of CuPy's in NumPy's memory; anything else is itself."""
    return x.get() if is_on_device(x) else x


def beside(x: Any, *others: Any) -> Any:
    """An array of NumPy's in the memory of those that it is to be computed with."""
    for each in map(plain, others):
        if is_on_device(each):
            return converted(x, device=each.device)
    return x


def zeros(like: Any, shape: tuple[int, ...]) -> Any:
    """Zeros by rows, beside an array and of its dtype; CuPy takes `shape=()` for no shape."""
    if not shape and is_on_device(like):
        return np.zeros_like(like.sum())
    return np.zeros_like(like, shape=shape, order="C")


def contiguous(x: Any) -> Any:
    """An array by rows in memory; `numpy.ascontiguousarray` takes none of CuPy's."""
    return x if x.flags.c_contiguous else x.copy()


def add_at(out: Any, index: Any, values: Any) -> None:
    """Add values at an index, in place; a place that comes several times gets all of them.

    NumPy hands `numpy.add.at` to CuPy only where the index is one array, and
    CuPy's takes no complex numbers.
    """
    if not is_on_device(out):
        np.add.at(out, index, values)
    elif out.dtype.kind == "c":
        add_at(out.real, index, values.real)
        add_at(out.imag, index, values.imag)
    else:
        cupy: Any = _cupy()
        cupy.add.at(out, index, values)


def _cupy() -> Any:
    try:
        return import_module("cupy")
    except ImportError as error:
        raise ValueError(
            "CuPy is not installed, without which there is no CUDA device here; install "
            "optshare-ad[cupy], or optshare-ad[cupy-cuda13]"
        ) from error


def _entered(cupy: Any, device: Any) -> Any:
    """A `with` in which new arrays are on a device."""
    if not isinstance(device, str):
        return device
    found = re.fullmatch(r"cuda(?::(\d+))?", device)
    if found is None:
        raise ValueError(f"no device is called {device!r}; choices: 'cpu', 'cuda', 'cuda:0', ...")
    if found[1] is None:
        return nullcontext()
    count = cupy.cuda.runtime.getDeviceCount()
    if int(found[1]) >= count:
        raise ValueError(f"there is no device {device!r}: CuPy finds {count}")
    return cupy.cuda.Device(int(found[1]))
