"""Data: minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from optshare.errors import DataError
from optshare.initializers import generator


class minibatch:  # noqa: N801 # Knet's name, used like a function
    """Pairs (x, y) of parts of two arrays along their first axis, anew at each iteration.

    Args:
        x: an array of examples.
        y: an array of as many targets.
        size: how many examples in each part, at least 1.
        shuffle: whether to draw a new order at each iteration.
        partial: whether the last part may be smaller; else it is left out.
        rng: where the orders come from; by default what `optshare.seed` started.

    Raises:
        DataError: the arrays differ in length or are empty, or the size is not positive.

    >>> for x, y in minibatch(np.arange(5), np.arange(5) % 2, 2):
    ...     print(x, y)
    [0 1] [0 1]
    [2 3] [0 1]
    [4] [0]
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        size: int,
        *,
        shuffle: bool = False,
        partial: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        if len(x) != len(y):
            raise DataError(f"x has {len(x)} examples, y has {len(y)}; they must be as many")
        if not len(x):
            raise DataError("x and y are empty")
        if not hasattr(size, "__index__") or size < 1:
            raise DataError(
                f"the size of a minibatch must be a whole number, at least 1, not {size!r}"
            )
        self.x, self.y, self.size = x, y, size
        self.shuffle, self.partial = shuffle, partial
        self._rng = rng

    def __len__(self) -> int:
        whole, rest = divmod(len(self.x), self.size)
        return whole + bool(rest and self.partial)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        order = generator(self._rng).permutation(len(self.x)) if self.shuffle else None
        for start in range(0, len(self) * self.size, self.size):
            part = slice(start, start + self.size)
            index = part if order is None else order[part]
            yield self.x[index], self.y[index]
