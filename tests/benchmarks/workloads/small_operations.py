"""A chain of operations on ten elements, where the time is the engine's own."""

import numpy as np

from tests.benchmarks.engines import (
    hips_autograd,
    jax_jit,
    mygrad,
    through,
    torch_eager,
    with_back,
)
from tests.benchmarks.workload import FLOOR, Problem, Run, Workload

ROUNDS = 25
SIZE = 10


def problem():
    """An input, and the three parameters of the chain."""
    rng = np.random.default_rng(0)
    x, *parameters = rng.uniform(0.5, 1, (4, SIZE)).astype(np.float32)
    return Problem(x, np.zeros(0, np.float32), parameters)


def chain(tanh, x, a, b, c):
    """Four operations, 25 times."""
    for _ in range(ROUNDS):
        x = tanh(x * a + b) - c
    return x


def total(x, y):
    """The loss."""
    return x.sum()


class Model:
    """The chain on optshare's Parameters."""

    def __init__(self, parameters, box):
        self.a, self.b, self.c = map(box, parameters)

    def __call__(self, x):
        import optshare

        return chain(optshare.tanh, x, self.a.value, self.b.value, self.c.value)


def module():
    """The chain on torch's Parameters."""
    import torch

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (torch.nn.Parameter(torch.empty(SIZE)) for _ in range(3))

        def forward(self, x):
            return chain(torch.tanh, x, self.a, self.b, self.c)

    return Module()


def in_autograd(parameters, x, y):
    """The loss in HIPS autograd."""
    import autograd.numpy as anp

    return anp.sum(chain(anp.tanh, x, *parameters))


def in_mygrad(parameters, x, y):
    """The loss in MyGrad."""
    import mygrad as mg

    return chain(mg.tanh, x, *parameters).sum()


def in_jax(parameters, x, y):
    """The loss in JAX."""
    import jax.numpy as jnp

    return chain(jnp.tanh, x, *parameters).sum()


def by_hand(problem):
    """The same passes with NumPy's functions, and no engine."""
    a, b, c = problem.parameters

    def step():
        x, kept = problem.x, []
        for _ in range(ROUNDS):
            y = np.tanh(x * a + b)
            kept.append((x, y))
            x = y - c
        g, totals = np.ones_like(x), [np.zeros_like(x) for _ in range(3)]
        for x, y in reversed(kept):
            totals[2] = totals[2] - g
            g = g * (1 - y * y)
            totals[1] = totals[1] + g
            totals[0] = totals[0] + g * x
            g = g * a
        return x.sum(), totals

    return Run(step, None)


WORKLOAD = Workload(
    name="small-operations",
    title="Small operations: 100 on 10 elements",
    problem=problem,
    contestants={
        "torch eager": torch_eager(module, total),
        "optshare tape": through("tape", Model, total),
        "optshare functional": through("functional", Model, total),
        "optshare tape, Variables and back": with_back(Model, total),
        "HIPS autograd": hips_autograd(in_autograd),
        "MyGrad": mygrad(in_mygrad),
        "jax.jit": jax_jit(in_jax),
        FLOOR: by_hand,
    },
    limit=0.5,
    roundings=10 * ROUNDS,
    operations=4 * ROUNDS + 1,
    notes=[
        "`x = tanh(x * a + b) - c`, 25 times, and a sum. The times are per operation, forward and "
        "backward. The floor is the same arithmetic, forward and backward, in NumPy by hand."
    ],
)
