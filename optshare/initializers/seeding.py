"""Where layers draw from: a generator given, or the one that a seed starts."""

from __future__ import annotations

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
