"""The table that a compiled kernel reads: where arrays are, and which pieces are whose share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Integers = np.ndarray[Any, np.dtype[np.int64]]
Share = tuple[int, int]
"""The first row of a share, and the first that is not in it."""

PIECE = 1 << 16
"""The most elements of a row: what threads share evenly, and one loop computes quickly."""
ALONE = 1 << 19
"""So many elements are one thread's work: handing them over takes as long as doing them."""


def rows_of(sizes: Sequence[int], sets: Iterable[int], piece: int = PIECE) -> Integers:
    """The rows (place, first element, elements, set of constants) of arrays of some sizes.

    >>> rows_of([3, 0, 65537], [0, 0, 1])
    array([[    0,     0,     3,     0],
           [    2,     0, 65536,     1],
           [    2, 65536,     1,     1]])
    """
    found = [
        (place, first, min(piece, size - first), its)
        for place, (size, its) in enumerate(zip(sizes, sets, strict=True))
        for first in range(0, size, piece)
    ]
    return np.array(found, np.int64).reshape(-1, 4)


def shares(rows: Integers, threads: int) -> list[Share]:
    """Consecutive rows for each thread, about as many elements for each.

    >>> shares(rows_of([1 << 20, 1 << 20], [0, 0]), 2)
    [(0, 16), (16, 32)]
    """
    ends = np.cumsum(rows[:, 2])
    total = int(ends[-1]) if len(ends) else 0
    parts = max(1, min(threads, total // ALONE))
    cuts = [int(np.searchsorted(ends, total * part / parts)) for part in range(1, parts)]
    bounds = [0, *(cut + 1 for cut in cuts), len(rows)]
    return [(first, last) for first, last in pairwise(bounds) if first < last]
