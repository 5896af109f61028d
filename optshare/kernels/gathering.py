"""Many arrays as a few: the small ones side by side, a block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from optshare.kernels.numpy import BLOCK_BYTES, flat_pieces, scratch

SMALL = 1 << 14
"""The most elements of an array that is worth a copy: calling NumPy costs more than copying."""

Array = np.ndarray[Any, Any]


def gathered(arrays: Iterable[Array], dtype: Any) -> Iterator[Array]:
    """All elements, converted, in arrays of one dimension, each to be read before the next one.

    What it allocates does not grow with the arrays.

    >>> [each.tolist() for each in gathered([np.eye(2), np.array(3)], np.float32)]
    [[1.0, 0.0, 0.0, 1.0, 3.0]]
    """
    room = BLOCK_BYTES // np.dtype(dtype).itemsize
    run, size = list[Array](), 0
    for each in arrays:
        if each.size > SMALL:
            yield from (piece.astype(dtype, copy=False) for piece in flat_pieces(each))
            continue
        if size + each.size > room:
            yield _joined(run, size, dtype)
            run, size = [], 0
        run.append(each)
        size += each.size
    if run:
        yield _joined(run, size, dtype)


def _joined(arrays: list[Array], size: int, dtype: Any) -> Array:
    if len(arrays) == 1:
        return arrays[0].reshape(-1).astype(dtype, copy=False)
    [joined] = scratch(1, np.dtype(dtype), (size,))
    return np.concatenate(arrays, axis=None, out=joined)
