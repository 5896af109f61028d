"""Initial values, drawn on the host: one seed gives one model on every engine.

An initialiser is a function `init(shape, dtype, rng)` that gives an array of
NumPy's; `rng` is a `numpy.random.Generator`. Layers take one, or its name:
`init="kaiming_normal"`. Options are keywords: `partial(kaiming_normal, gain=1.0)`.
All draw in float64 and round, so that a float32 model has the rounded numbers of
the float64 model. Complex parameters get real numbers.
"""

from optshare.initializers.constant import constant, ones, zeros
from optshare.initializers.distributions import normal, truncated_normal, uniform
from optshare.initializers.fans import fans
from optshare.initializers.matrices import identity, orthogonal, sparse
from optshare.initializers.named import Initializer, drawn, named
from optshare.initializers.scaled import (
    glorot_normal,
    glorot_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
)
from optshare.initializers.seeding import generator, seed

__all__ = [
    "Initializer",
    "constant",
    "drawn",
    "fans",
    "generator",
    "glorot_normal",
    "glorot_uniform",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "named",
    "normal",
    "ones",
    "orthogonal",
    "seed",
    "sparse",
    "truncated_normal",
    "uniform",
    "zeros",
]
