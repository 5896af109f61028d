"""Encodings: what tells the positions of a sequence apart."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from optshare.backend import constant, placed
from optshare.dispatch import namespace_of
from optshare.dtypes import dtype_name, host_dtype
from optshare.initializers import glorot_uniform
from optshare.layers.base import Layer
from optshare.layers.checks import require_floating, unfit, whole
from optshare.layers.weights import weight as weight_of
from optshare.orientation import NO_MATRIX, Fans


class SinusoidalEncoding(Layer):
    """Adds sines and cosines of the positions: x + P.

        P[t, 2 i] = sin(t / 10000^(2 i / features)), P[t, 2 i + 1] = cos(the same).

    Args:
        features: the size of the last axis; any, by default.

    Shapes: (..., time, features), of any time. FLOPs: 1 for each element; P is
    computed once for each length.

    Raises:
        DataError: when called, the input has another number of features, or integers.

    Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> SinusoidalEncoding()(np.zeros((2, 3)))
    array([[0.        , 1.        , 0.        ],
           [0.84147098, 0.54030231, 0.00215443]])
    """

    def __init__(self, features: int | None = None) -> None:
        if features is not None:
            whole("SinusoidalEncoding", features=features)
        self._features = features

    def given(self) -> tuple[Any, ...]:
        """The number of features, if it was given."""
        return () if self._features is None else (self._features,)

    def __call__(self, x: Any) -> Any:
        """The sequences with their positions added."""
        time, features = _sequence(self, x, self._features)
        return x + _beside(x, _sinusoids(time, features, dtype_name(x.dtype)))


class LearnedEncoding(Layer):
    """Adds a trained vector for each position: x + weight[:time].

    `LearnedEncoding(length)` or `LearnedEncoding(length, features)`.

    Args:
        sizes: the longest sequence, and the size of the last axis, which may be left out.
        init: `init(shape, dtype, rng)`, or a name, draws the weight, of shape (length, features).
        dtype: of the weight.
        rng: where to draw from; by default what `optshare.seed` started.

    Shapes: (..., time, features), of a time up to length. FLOPs: 1 for each element.

    Raises:
        DataError: when called, the sequence is longer, has another number of
            features, or integers.

    Source: Gehring et al., Convolutional Sequence to Sequence Learning, 2017.

    >>> layer = LearnedEncoding(10)
    >>> layer(np.ones((5, 7, 4), np.float32)).shape, layer.weight.shape
    ((5, 7, 4), (10, 4))
    """

    def __init__(
        self,
        *sizes: int,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        if not 1 <= len(sizes) <= 2:
            raise TypeError(
                f"LearnedEncoding takes LearnedEncoding(length) or "
                f"LearnedEncoding(length, features), not {sizes}"
            )
        whole("LearnedEncoding", **dict(zip(("length", "features"), sizes, strict=False)))
        self._sizes = sizes
        features = sizes[1] if len(sizes) == 2 else None
        self.weight = weight_of(init, (sizes[0], features), dtype, rng)

    def __fans__(self) -> dict[str, Fans]:
        """The axes of the weight."""
        return {"weight": NO_MATRIX}

    def given(self) -> tuple[Any, ...]:
        """The sizes."""
        return self._sizes

    def __call__(self, x: Any) -> Any:
        """The sequences with their positions added."""
        length, features = self.weight.shape
        time, _ = _sequence(self, x, features)
        if time > length:
            raise unfit(self, f"sequences of at most {length} positions", x)
        if not self.weight.built:
            self.weight.build((length, x.shape[-1]))
        return x + self.weight.value[:time]


class RotaryEncoding(Layer):
    """Turns each pair of features by an angle that grows with the position.

    The features i and i + features / 2 are a pair (x_i, y_i), as in GPT-NeoX and
    Llama; the paper pairs neighbours. At position t it becomes

        (x_i cos a - y_i sin a, y_i cos a + x_i sin a), a = t / 10000^(2 i / features).

    The product of a turned query and a turned key depends on the distance of
    their positions, and not on the positions: this is what
    `MultiHeadAttention(rotary=True)` does to those of each head.

    Shapes: (..., time, features), of any time; features are even. FLOPs: 3 for
    each element; the cosines and sines are computed once for each length.

    Raises:
        DataError: when called, the number of features is odd, or the input has integers.

    Source: Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021.

    >>> RotaryEncoding()(np.array([[1.0, 0.0], [1.0, 0.0]]))
    array([[1.        , 0.        ],
           [0.54030231, 0.84147098]])
    """

    def __call__(self, x: Any) -> Any:
        """The sequences, turned."""
        time, features = _sequence(self, x, None)
        if features % 2:
            raise unfit(self, "an even number of features", x)
        cos, sin = (_beside(x, each) for each in _turns(time, features, dtype_name(x.dtype)))
        first, second = x[..., : features // 2], x[..., features // 2 :]
        turned = [first * cos - second * sin, second * cos + first * sin]
        return namespace_of(x).concat(turned, axis=-1)


def _sequence(layer: Layer, x: Any, features: int | None) -> tuple[int, int]:
    """The time and the features of a sequence that fits a layer; else raises."""
    shape = require_floating(layer, x)
    if len(shape) < 2 or features not in (None, shape[-1]):
        raise unfit(layer, f"sequences (..., time, {features or 'features'})", x)
    return shape[-2], shape[-1]


def _angles(time: int, features: int) -> Any:
    """t / 10000^(2 i / features), of shape (time, features / 2 rounded up)."""
    return np.arange(time)[:, None] / 10000.0 ** (np.arange(0, features, 2) / features)


@lru_cache(maxsize=64)
def _sinusoids(time: int, features: int, dtype: str) -> Any:
    angles = _angles(time, features)
    both = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    found = both.reshape(time, 2 * angles.shape[1])[:, :features]
    return constant(found.astype(host_dtype(dtype)))


@lru_cache(maxsize=64)
def _turns(time: int, features: int, dtype: str) -> tuple[Any, Any]:
    angles = _angles(time, features)
    both = np.cos(angles), np.sin(angles)
    cos, sin = (constant(each.astype(host_dtype(dtype))) for each in both)
    return cos, sin


def _beside(x: Any, host: Any) -> Any:
    """A constant in the engine of an array, in its memory and its dtype."""
    ops = namespace_of(x)
    there = placed(ops, host, x)
    return there if there.dtype == x.dtype else ops.astype(there, x.dtype)
