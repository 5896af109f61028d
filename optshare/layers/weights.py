"""The Parameters and Buffers of layers, whose sizes may be left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.initializers import generator, zeros
from optshare.parameter import Buffer, Parameter
from optshare.recipes import Recipe, Sizes


def weight(
    init: Any, shape: Sizes, dtype: Any, rng: np.random.Generator | None = None
) -> Parameter:
    """A Parameter drawn by an initialiser; `None` in its shape is a size that an input tells.

    >>> from optshare.initializers import glorot_uniform
    >>> weight(glorot_uniform, (None, 3), np.float32).shape
    (None, 3)
    """
    return Parameter(Recipe(init, shape, dtype, generator(rng)))


def bias(shape: Sizes, dtype: Any, init: Any = zeros) -> Parameter:
    """A Parameter that begins at 0, or at what another initialiser gives."""
    return Parameter(Recipe(init, shape, dtype))


def running(shape: Sizes, dtype: Any, init: Any = zeros) -> Buffer:
    """A Buffer for statistics of the inputs."""
    return Buffer(Recipe(init, shape, dtype))
