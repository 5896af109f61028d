"""The Parameters and Buffers of layers, whose sizes may be left out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from optshare.initializers import drawn, generator, named, zeros
from optshare.parameter import Buffer, Parameter
from optshare.recipes import Recipe, Sizes


def weight(
    init: Any, shape: Sizes, dtype: Any, rng: np.random.Generator | None = None
) -> Parameter:
    """A Parameter drawn by an initialiser; `None` in its shape is a size that an input tells.

    Args:
        init: `init(shape, dtype, rng)`, or the name of an initialiser.
        shape: of the value.
        dtype: of the value.
        rng: where to draw from; by default what `optshare.seed` started.

    Raises:
        InitializerError: there is none of that name, or it gives another shape.

    >>> from optshare.initializers import glorot_uniform
    >>> weight(glorot_uniform, (None, 3), np.float32).shape
    (None, 3)
    """
    return Parameter(Recipe(partial(drawn, named(init)), shape, dtype, generator(rng)))


def bias(shape: Sizes, dtype: Any, init: Any = zeros) -> Parameter:
    """A Parameter that begins at 0, or at what another initialiser gives."""
    return Parameter(Recipe(init, shape, dtype))


def running(shape: Sizes, dtype: Any, init: Any = zeros) -> Buffer:
    """A Buffer for statistics of the inputs."""
    return Buffer(Recipe(init, shape, dtype))
