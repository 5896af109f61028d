"""Initial values scaled by the fans, so that layers keep the variance of what goes through.

The normal ones are not truncated, as in the papers and in PyTorch; JAX and
Keras truncate theirs, at the same standard deviation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.initializers.distributions import normal, uniform
from optshare.initializers.fans import fan, fans


def glorot_uniform(
    shape: tuple[int, ...], dtype: Any, rng: np.random.Generator, *, gain: float = 1.0
) -> Any:
    """Uniform in ±gain * sqrt(6 / (fan_in + fan_out)); also called Xavier.

    Source: Glorot and Bengio, Understanding the difficulty of training deep
    feedforward neural networks, 2010.

    Raises:
        InitializerError: the shape has fewer than two axes.

    >>> draw = glorot_uniform((100, 50), np.float32, np.random.default_rng(0))
    >>> bool(abs(draw).max() <= np.float32(0.2)), draw.dtype
    (True, dtype('float32'))
    """
    limit = gain * math.sqrt(6 / max(1, sum(fans(shape))))
    return uniform(shape, dtype, rng, low=-limit, high=limit)


def glorot_normal(
    shape: tuple[int, ...], dtype: Any, rng: np.random.Generator, *, gain: float = 1.0
) -> Any:
    """Normal of std gain * sqrt(2 / (fan_in + fan_out)); also called Xavier.

    Source: Glorot and Bengio, Understanding the difficulty of training deep
    feedforward neural networks, 2010.

    Raises:
        InitializerError: the shape has fewer than two axes.

    >>> draw = glorot_normal((100, 100), np.float64, np.random.default_rng(0))
    >>> round(float(draw.std()), 2)
    0.1
    """
    std = gain * math.sqrt(2 / max(1, sum(fans(shape))))
    return normal(shape, dtype, rng, std=std)


def kaiming_uniform(
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator,
    *,
    gain: float = math.sqrt(2),
    mode: str = "fan_in",
) -> Any:
    """Uniform in ±gain * sqrt(3 / fan); also called He.

    The gain is that of relu; of leaky_relu with a slope a it is sqrt(2 / (1 + a^2)),
    of tanh, in practice, 5/3. The fan is `"fan_in"`, which keeps the variance on
    the way forward, or `"fan_out"`, which keeps that of the gradients.

    Source: He et al., Delving Deep into Rectifiers: Surpassing Human-Level
    Performance on ImageNet Classification, 2015.

    Raises:
        InitializerError: the shape has fewer than two axes, or there is no such mode.

    >>> draw = kaiming_uniform((6, 1000), np.float64, np.random.default_rng(0))
    >>> round(float(abs(draw).max()), 2)
    1.0
    """
    limit = gain * math.sqrt(3 / fan(shape, mode))
    return uniform(shape, dtype, rng, low=-limit, high=limit)


def kaiming_normal(
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator,
    *,
    gain: float = math.sqrt(2),
    mode: str = "fan_in",
) -> Any:
    """Normal of std gain / sqrt(fan); also called He. The options are `kaiming_uniform`'s.

    Source: He et al., Delving Deep into Rectifiers: Surpassing Human-Level
    Performance on ImageNet Classification, 2015.

    Raises:
        InitializerError: the shape has fewer than two axes, or there is no such mode.

    >>> from functools import partial
    >>> init = partial(kaiming_normal, gain=5 / 3, mode="fan_out")
    >>> round(float(init((50, 400), np.float64, np.random.default_rng(0)).std()), 2)
    0.08
    """
    return normal(shape, dtype, rng, std=gain / math.sqrt(fan(shape, mode)))


def lecun_uniform(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """Uniform in ±sqrt(3 / fan_in).

    Source: LeCun et al., Efficient BackProp, 1998.

    Raises:
        InitializerError: the shape has fewer than two axes.

    >>> draw = lecun_uniform((3, 1000), np.float64, np.random.default_rng(0))
    >>> round(float(abs(draw).max()), 2)
    1.0
    """
    return kaiming_uniform(shape, dtype, rng, gain=1.0)


def lecun_normal(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """Normal of std 1 / sqrt(fan_in); what selu needs.

    Source: LeCun et al., Efficient BackProp, 1998; Klambauer et al.,
    Self-Normalizing Neural Networks, 2017.

    Raises:
        InitializerError: the shape has fewer than two axes.

    >>> draw = lecun_normal((100, 100), np.float64, np.random.default_rng(0))
    >>> round(float(draw.std()), 2)
    0.1
    """
    return kaiming_normal(shape, dtype, rng, gain=1.0)
