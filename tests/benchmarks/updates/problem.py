"""What every contestant is given: parameters, gradients, hyperparameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LR, BETAS, EPS = 1e-3, (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Problem:
    """Float32 arrays, which contestants copy or only read, and a number of threads."""

    parameters: Sequence[Any]
    gradients: Sequence[Any]
    threads: int = 1


def problem(shapes, threads):
    """Parameters and gradients of some shapes."""
    rng = np.random.default_rng(1)
    return Problem(drawn(rng, shapes), drawn(rng, shapes), threads)


def drawn(rng, shapes):
    """Numbers of either sign whose magnitudes are 0.5 to 1.5, so that no eps makes a difference."""
    return [_drawn(rng, shape) for shape in shapes]


def _drawn(rng, shape):
    x = rng.random(shape, np.float32)
    return np.copysign(x + np.float32(0.5), x - np.float32(0.5))
