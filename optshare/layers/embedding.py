"""Embedding: a vector for each word of a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.initializers import normal
from optshare.layers.base import Layer
from optshare.layers.checks import whole
from optshare.layers.weights import weight as weight_of
from optshare.orientation import NO_MATRIX, Fans
from optshare.parameter import is_array


class Embedding(Layer):
    """The rows of a weight at integer indices.

    `Dense(tie=embedding)` uses the same weight to score the words.

    Args:
        vocabulary: the number of rows.
        features: the size of each.
        init: `init(shape, dtype, rng)`, or a name, draws the weight, (vocabulary, features).
        dtype: of the weight.
        rng: where to draw from; by default what `optshare.seed` started.

    Shapes: integers of shape (...) to (..., features). FLOPs: 0.

    Raises:
        DataError: when called, the input is no array of integers, or an index is not in
            [0, vocabulary). A function that JAX compiles does not know its numbers, and gives
            NaN there.

    >>> layer = Embedding(10, 3)
    >>> layer(np.array([[1, 4], [4, 1]])).shape
    (2, 2, 3)
    >>> layer(np.array([10]))
    Traceback (most recent call last):
    optshare.errors.DataError: Embedding(10, 3) needs indices from 0 to 9, not 10
    """

    def __init__(
        self,
        vocabulary: int,
        features: int,
        *,
        init: Any = normal,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        whole("Embedding", vocabulary=vocabulary, features=features)
        self.vocabulary, self.features = vocabulary, features
        self.weight = weight_of(init, (vocabulary, features), dtype, rng)

    def __fans__(self) -> dict[str, Fans]:
        """The axes of the weight."""
        return {"weight": NO_MATRIX}

    def given(self) -> tuple[Any, ...]:
        """The sizes of the vocabulary and of its vectors."""
        return self.vocabulary, self.features

    def __call__(self, indices: Any) -> Any:
        """The vectors at integer indices, of shape (..., features)."""
        if not is_array(indices) or "int" not in str(indices.dtype):
            what = f"an array of {indices.dtype}" if is_array(indices) else repr(indices)
            raise DataError(f"{self!r} needs an array of integers, not {what}")
        weight = self.weight.value
        ops = namespace_of(indices, weight)
        try:
            return ops.nn.embedding(indices, weight)
        except IndexError as error:
            raise DataError(self._wrong(ops, indices)) from error

    def _wrong(self, ops: Any, indices: Any) -> str:
        low, high = int(ops.min(indices)), int(ops.max(indices))
        wrong = low if low < 0 else high
        return f"{self!r} needs indices from 0 to {self.vocabulary - 1}, not {wrong}"
