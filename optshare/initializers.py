"""Initial values, drawn on the host: one seed gives one model on every engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_started: list[np.random.Generator] = []  # numpy.random is loaded at the first draw


def seed(number: int) -> None:
    """Start the generator that layers draw from when they are given no `rng`.

    >>> from optshare.layers import Dense
    >>> seed(0); one = Dense(2, 2)
    >>> seed(0); other = Dense(2, 2)
    >>> bool((one.weight == other.weight).all())
    True
    """
    _started[:] = [np.random.default_rng(number)]


def generator(rng: np.random.Generator | None = None) -> np.random.Generator:
    """The generator given, or the one that `seed` starts."""
    if rng is not None:
        return rng
    if not _started:
        _started.append(np.random.default_rng())
    return _started[0]


def glorot_uniform(shape: tuple[int, int], dtype: Any, rng: np.random.Generator) -> Any:
    """Uniform in ±sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep
    feedforward neural networks, 2010.

    >>> draw = glorot_uniform((100, 50), np.float32, np.random.default_rng(0))
    >>> bool(abs(draw).max() <= np.float32(0.2)), draw.dtype
    (True, dtype('float32'))
    """
    limit = math.sqrt(6 / sum(shape))
    return rng.uniform(-limit, limit, shape).astype(dtype)


def zeros(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """All zeros."""
    return np.zeros(shape, dtype)


def ones(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """All ones."""
    return np.ones(shape, dtype)


def normal(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """Normal, of mean 0 and standard deviation 1.

    >>> normal((3,), np.float32, np.random.default_rng(0)).dtype
    dtype('float32')
    """
    return rng.normal(size=shape).astype(dtype)
