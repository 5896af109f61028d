"""An LSTM: 32 sequences of 50 steps, 256 features, 256 hidden units."""

import numpy as np

from tests.benchmarks.engines import (
    hips_autograd,
    jax_jit,
    mygrad,
    through,
    torch_eager,
    with_back,
)
from tests.benchmarks.workload import FLOOR, Problem, Workload, drawn, matrix_products

BATCH, TIME, FEATURES, HIDDEN = 32, 50, 256, 256
SHAPES = [(FEATURES, 4 * HIDDEN), (HIDDEN, 4 * HIDDEN), (4 * HIDDEN,)]


def problem():
    """Sequences, what the outputs should be, weights and bias; gates in the order i, f, g, o."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, TIME, FEATURES), np.float32)
    y = rng.standard_normal((BATCH, TIME, HIDDEN), np.float32)
    return Problem(x, y, [each / 2 for each in drawn(rng, *SHAPES)])


def start():
    """The first hidden state and the first cell state."""
    return np.zeros((2, BATCH, HIDDEN), np.float32)


class Model:
    """The LSTM on optshare's Parameters."""

    def __init__(self, parameters, box):
        self.input_weight, self.hidden_weight, self.bias = map(box, parameters)

    def __call__(self, x):
        from optshare import ops

        h, c = start()
        parameters = self.input_weight.value, self.hidden_weight.value, self.bias.value
        return ops.nn.lstm(x, h, c, *parameters)[0]


def mse(outputs, y):
    """The loss in optshare."""
    import optshare

    return optshare.mse(outputs, y)


def module():
    """The LSTM in torch."""
    import torch

    return torch.nn.LSTM(FEATURES, HIDDEN, batch_first=True)


def mse_in_torch(outputs, y):
    """The loss in torch."""
    from torch.nn import functional

    return functional.mse_loss(outputs[0], y)


def gated(sigmoid, tanh, gates, c):
    """The hidden and the cell state after one step."""
    i, f, o = (sigmoid(gates[:, k * HIDDEN : (k + 1) * HIDDEN]) for k in (0, 1, 3))
    c = f * c + i * tanh(gates[:, 2 * HIDDEN : 3 * HIDDEN])
    return o * tanh(c), c


def loop(sigmoid, tanh, parameters, x, y):
    """The mean of squares over all steps, as users of HIPS autograd and MyGrad write it."""
    weight, hidden_weight, bias = parameters
    h, c = start()
    total = 0
    for t in range(TIME):
        h, c = gated(sigmoid, tanh, x[:, t] @ weight + h @ hidden_weight + bias, c)
        error = h - y[:, t]
        total = total + (error * error).sum()
    return total / y.size


def in_autograd(parameters, x, y):
    """The loss in HIPS autograd."""
    import autograd.numpy as anp

    def sigmoid(z):
        return 0.5 * (anp.tanh(0.5 * z) + 1)

    return loop(sigmoid, anp.tanh, parameters, x, y)


def in_mygrad(parameters, x, y):
    """The loss in MyGrad."""
    import mygrad as mg
    from mygrad.nnet.activations import sigmoid

    return loop(sigmoid, mg.tanh, parameters, x, y)


def in_jax(parameters, x, y):
    """The loss in JAX: all products of the input first, then a scan."""
    import jax
    import jax.numpy as jnp

    weight, hidden_weight, bias = parameters

    def step(state, projected):
        h, c = state
        h, c = gated(jax.nn.sigmoid, jnp.tanh, projected + h @ hidden_weight, c)
        return (h, c), h

    _, outputs = jax.lax.scan(step, tuple(start()), jnp.swapaxes(x @ weight + bias, 0, 1))
    return jnp.mean((jnp.swapaxes(outputs, 0, 1) - y) ** 2)


def floor(problem):
    """Its matrix products: those of the input in one, those of the state step by step."""
    rows, gates = BATCH * TIME, 4 * HIDDEN
    steps = [(BATCH, HIDDEN, gates), (BATCH, gates, HIDDEN)] * TIME
    return matrix_products(
        (rows, FEATURES, gates), *steps, (FEATURES, rows, gates), (HIDDEN, rows, gates)
    )


WORKLOAD = Workload(
    name="lstm",
    title="LSTM, 32 sequences of 50 steps, 256 features, 256 hidden",
    problem=problem,
    contestants={
        "torch eager": torch_eager(module, mse_in_torch),
        "optshare tape": through("tape", Model, mse),
        "optshare functional": through("functional", Model, mse),
        "optshare tape, Variables and back": with_back(Model, mse),
        "HIPS autograd": hips_autograd(in_autograd),
        "MyGrad": mygrad(in_mygrad),
        "jax.jit": jax_jit(in_jax),
        FLOOR: floor,
    },
    limit=1.35,
    roundings=BATCH * TIME + 2 * TIME * (FEATURES + HIDDEN),
    notes=[
        "The loss is the mean square of all outputs less a target. HIPS autograd and MyGrad have "
        "no LSTM; theirs is a loop over the steps. The floor is its matrix products in NumPy."
    ],
)
