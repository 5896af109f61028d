"""Initial values of one distribution, whatever the shape."""

from __future__ import annotations

from typing import Any

import numpy as np


def uniform(
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator,
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> Any:
    """Uniform in [low, high); rounding to a narrower dtype can give `high` itself.

    >>> draw = uniform((1000,), np.float32, np.random.default_rng(0), low=-0.1, high=0.1)
    >>> bool(abs(draw).max() <= np.float32(0.1))
    True
    """
    return rng.uniform(low, high, shape).astype(dtype)


def normal(
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator,
    *,
    mean: float = 0.0,
    std: float = 1.0,
) -> Any:
    """Normal, of a mean and a standard deviation.

    >>> normal((3,), np.float32, np.random.default_rng(0), std=0.01).dtype
    dtype('float32')
    """
    return rng.normal(mean, std, shape).astype(dtype)


def truncated_normal(
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator,
    *,
    mean: float = 0.0,
    std: float = 1.0,
) -> Any:
    """Normal, drawn again where it is farther than 2 std from the mean.

    `std` is that of the normal before it is cut; what comes out has 0.8796 of it:

        sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)) = 0.87962566...

    So does `jax.nn.initializers.truncated_normal`; JAX's and Keras's
    `variance_scaling` divide by that number, this does not. PyTorch's
    `trunc_normal_` cuts at -2 and 2 themselves, whatever std is: the two are
    equal for a mean of 0 and a std of 1.

    >>> draw = truncated_normal((1000,), np.float64, np.random.default_rng(0), std=0.5)
    >>> bool(abs(draw).max() <= 1)
    True
    """
    draw = rng.standard_normal(shape)
    while (outside := np.abs(draw) > 2).any():
        draw[outside] = rng.standard_normal(np.count_nonzero(outside))
    return (mean + std * draw).astype(dtype)
