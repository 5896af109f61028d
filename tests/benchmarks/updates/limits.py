"""The limits of optshare's time, as multiples of another contestant's of the same round."""

import math
from dataclasses import dataclass

from tests.benchmarks.updates.studies import (
    DEFAULT,
    FLOOR,
    FUSED,
    OPTAX,
    OPTAX_LOSS,
    RULES,
    STUDIES,
)


@dataclass(frozen=True)
class Limit:
    """At most so many times as long as another, in one study."""

    study: str
    name: str
    other: str
    factor: float


def limits(study, factor, other, *names):
    """A limit for each of some contestants."""
    return [Limit(study, f"optshare {name}", other, factor) for name in names]


HOST = "NumPy only, update", "NumPy only, step()"
FAST = "fast, update", "fast, step()"
TORCH = "torch, update", "torch, step()"
JAX = "JAX, update"
LIMITS = [
    *limits("one-array", 2.6, FLOOR, *HOST),
    *limits("one-array", 1.1, FLOOR, *FAST),
    *limits("one-array", 1.0, FUSED, *TORCH),
    *limits("one-array", 0.4, OPTAX, JAX),
    *limits("resnet-50", 2.7, FLOOR, *HOST),
    *limits("resnet-50", 1.1, FLOOR, *FAST),
    *limits("resnet-50", 1.0, FUSED, *TORCH),
    *limits("resnet-50", 0.4, DEFAULT, *TORCH),
    *limits("resnet-50", 0.4, OPTAX, JAX),
    *limits("thousand-arrays", 0.4, FUSED, *HOST),
    *limits("thousand-arrays", 0.1, FUSED, *FAST),
    *limits("thousand-arrays", 0.15, FUSED, *TORCH),
    *limits("thousand-arrays", 0.5, OPTAX, JAX),
    *limits("thousand-arrays", 0.2, OPTAX_LOSS, "JAX, step(fn)"),
    *(Limit("rules", name, other, 1.2) for name, (other, _) in RULES.items()),
]
EXTRA = 4e6
"""Bytes that a step may take beside the state; on JAX, one copy of the parameters as well."""


def verdict(limit, results):
    """The ratio, and whether it keeps the limit; "-" where it was not measured."""
    found = results.get(limit.study)
    if not found or not {limit.name, limit.other} <= set(found.samples):
        return "-"
    ratio = found.ratio(limit.name, limit.other)
    return f"{ratio:.2f} {'kept' if ratio <= limit.factor else 'over'}"


def allowed(name, study):
    """The bytes that a step of one contestant may take."""
    sizes = (math.prod(shape) for shape in STUDIES[study].shapes(False))
    return EXTRA + (4 * sum(sizes) if " JAX" in name else 0)
