"""A workload: one problem, and how each contestant computes its loss and its gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

REFERENCE = "torch eager"
FLOOR = "floor"


@dataclass(frozen=True)
class Problem:
    """Float32 arrays: the input, the target, and the parameters' initial values.

    Matrices are (in, out), convolution weights (out, in, height, width), images NCHW,
    sequences (batch, time, features).
    """

    x: Any
    y: Any
    parameters: Sequence[Any]


@dataclass(frozen=True)
class Run:
    """A contestant that is ready: it was given the problem and has compiled what it compiles."""

    step: Callable[[], Any]
    """One forward and one backward pass; what is computed is finished when it returns."""
    read: Callable[[Any], tuple[float, list[Any]]] | None
    """Of what `step` returned: the loss, and the gradients in the problem's layout."""


@dataclass(frozen=True)
class Workload:
    """What is measured, and what optshare may take of torch's time.

    A contestant is a function from the Problem to a Run. Where a contestant cannot take part,
    there is the reason instead.
    """

    name: str
    title: str
    problem: Callable[[], Problem]
    contestants: dict[str, Callable[[Problem], Run] | str]
    limit: float
    roundings: int
    """On the longest path from the input to a gradient; a sum of n terms has n."""
    operations: int = 0
    """If not 0, times are per operation."""
    notes: Sequence[str] = field(default_factory=tuple)


def drawn(rng, *shapes):
    """Matrices and filters that keep the size of what passes through them; vectors near 0."""
    return [_drawn(rng, shape) for shape in shapes]


def _drawn(rng, shape):
    inputs = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    scale = np.sqrt(2 / inputs) if len(shape) > 1 else 0.1
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def matrix_products(*shapes):
    """The floor: products of float32 matrices, (rows, inner, columns), and nothing else."""
    rng = np.random.default_rng(0)
    pairs = [
        (rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32))
        for m, k, n in shapes
    ]

    def step():
        for a, b in pairs:
            a @ b

    return Run(step, None)


def dense_products(batch, *sizes):
    """The shapes of a dense network's products, forward and backward."""
    for place, (m, n) in enumerate(pairwise(sizes)):
        yield batch, m, n
        yield m, batch, n
        if place:
            yield batch, n, m
