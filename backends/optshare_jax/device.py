"""JAX's arrays on a CUDA device as CuPy sees them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from optshare.extend import installed

DTYPES = frozenset(("float16", "bfloat16", "float32", "float64"))
DLPACK_CUDA = 2
"""kDLCUDA: the memory of a device itself; that of the host which a device can read is another."""


def view(array: Any) -> Any:
    """The memory of an array on one CUDA device as an array of CuPy's, if CuPy is installed.

    Nobody may write it. It goes by DLPack: CuPy tells JAX its current stream, and JAX lets that
    one wait until the array has been computed. The view keeps the memory.
    """
    fits = array.dtype.name in DTYPES and _is_on_one_gpu(array)
    if not fits or array.__dlpack_device__()[0] != DLPACK_CUDA:
        return None
    cupy = installed("cupy")
    return None if cupy is None else cupy.from_dlpack(array)


@contextmanager
def stream(array: Any) -> Generator[None]:
    """A `with` in which CuPy works on an array's device, and which waits until it has finished.

    JAX tells nobody its streams. Before CuPy's work, `view` waits for the arrays. After it, JAX
    waits for an array that it adopts, for CuPy is told which stream has to; but a view that is
    let go of gives its memory back to JAX at once, whatever CuPy may still have to read there.
    Therefore the host waits.
    """
    cupy = installed("cupy")
    with cupy.cuda.Device(array.__dlpack_device__()[1]):
        try:
            yield
        finally:
            cupy.cuda.get_current_stream().synchronize()


def _is_on_one_gpu(array: Any) -> bool:
    devices = array.devices()
    return len(devices) == 1 and next(iter(devices)).platform == "gpu"
