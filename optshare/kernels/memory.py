"""Memory that engines can adopt without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

ALIGNMENT = 64
"""In bytes; what engines ask of memory that they share."""


def aligned_copy(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A contiguous copy that begins at a multiple of `ALIGNMENT`.

    >>> aligned_copy(np.ones((2, 3))).ctypes.data % ALIGNMENT
    0
    """
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    np.copyto(copy, array)
    return copy
