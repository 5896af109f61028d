"""A dense network, 784-256-256-10, with relu and cross-entropy."""

from functools import partial
from itertools import pairwise

import numpy as np

from tests.benchmarks.engines import (
    hips_autograd,
    jax_jit,
    mygrad,
    through,
    torch_eager,
    with_back,
)
from tests.benchmarks.workload import (
    FLOOR,
    Problem,
    Workload,
    dense_products,
    drawn,
    matrix_products,
)

SIZES = 784, 256, 256, 10
SHAPES = [shape for m, n in pairwise(SIZES) for shape in ((m, n), (n,))]


def problem(batch):
    """Inputs, labels, weights and biases."""
    rng = np.random.default_rng(1)  # no input of a relu lies within rounding of 0
    x = rng.standard_normal((batch, SIZES[0]), np.float32)
    return Problem(x, rng.integers(0, SIZES[-1], batch), drawn(rng, *SHAPES))


def model(parameters, box):
    """The network in optshare."""
    from optshare import Chain, Dense, relu

    chain = Chain(Dense(784, 256, relu), Dense(256, 256, relu), Dense(256, 10))
    for layer, weight, bias in zip(chain, parameters[::2], parameters[1::2], strict=True):
        layer.weight, layer.bias = box(weight), box(bias)
    return chain


def nll(scores, labels):
    """The loss in optshare."""
    import optshare

    return optshare.nll(scores, labels)


def module():
    """The network in torch."""
    from torch.nn import Linear, ReLU, Sequential

    return Sequential(Linear(784, 256), ReLU(), Linear(256, 256), ReLU(), Linear(256, 10))


def cross_entropy(scores, labels):
    """The loss in torch."""
    from torch.nn import functional

    return functional.cross_entropy(scores, labels)


def dense(relu, parameters, x):
    """The network on plain arrays."""
    w1, b1, w2, b2, w3, b3 = parameters
    return relu(relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def nll_in_autograd(scores, labels):
    """The mean negative log likelihood, in HIPS autograd."""
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    logs = scores - logsumexp(scores, axis=1, keepdims=True)
    return -anp.mean(logs[np.arange(len(labels)), labels])


def relu_in_autograd(x):
    """max(x, 0)."""
    import autograd.numpy as anp

    return anp.maximum(x, 0.0)


def in_autograd(parameters, x, y):
    """The loss of the network in HIPS autograd."""
    return nll_in_autograd(dense(relu_in_autograd, parameters, x), y)


def in_mygrad(parameters, x, y):
    """The loss of the network in MyGrad."""
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    return softmax_crossentropy(dense(relu, parameters, x), y)


def nll_in_jax(scores, labels):
    """The mean negative log likelihood, in JAX."""
    import jax
    import jax.numpy as jnp

    picked = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], axis=1)
    return -jnp.mean(picked)


def in_jax(parameters, x, y):
    """The loss of the network in JAX."""
    import jax

    return nll_in_jax(dense(jax.nn.relu, parameters, x), y)


def floor(batch, problem):
    """The network's matrix products."""
    return matrix_products(*dense_products(batch, *SIZES))


def _workload(batch, limit):
    return Workload(
        name=f"mlp-{batch}",
        title=f"MLP 784-256-256-10, batch {batch}",
        problem=partial(problem, batch),
        contestants={
            "torch eager": torch_eager(module, cross_entropy),
            "optshare tape": through("tape", model, nll),
            "optshare functional": through("functional", model, nll),
            "optshare tape, Variables and back": with_back(model, nll),
            "HIPS autograd": hips_autograd(in_autograd),
            "MyGrad": mygrad(in_mygrad),
            "jax.jit": jax_jit(in_jax),
            FLOOR: partial(floor, batch),
        },
        limit=limit,
        roundings=2 * sum(SIZES) + batch,
        notes=["The floor is its eight matrix products in NumPy."],
    )


BATCH_8 = _workload(8, limit=0.7)
BATCH_128 = _workload(128, limit=0.9)
