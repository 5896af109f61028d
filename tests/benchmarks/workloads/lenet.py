"""LeNet: two convolutions with pooling and two dense layers, on 28x28."""

from functools import partial

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
from tests.benchmarks.workloads.mlp import (
    cross_entropy,
    nll,
    nll_in_autograd,
    nll_in_jax,
    relu_in_autograd,
)

BATCH = 64
SHAPES = [(20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (800, 500), (500,), (500, 10), (10,)]


def problem():
    """Images, labels, weights and biases."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, 1, 28, 28), np.float32)
    return Problem(x, rng.integers(0, 10, BATCH), drawn(rng, *SHAPES))


def lenet(conv, pool, relu, parameters, x):
    """The network, of an engine's functions."""
    k1, a1, k2, a2, w1, b1, w2, b2 = parameters
    h = pool(relu(conv(x, k1) + a1.reshape(1, -1, 1, 1)))
    h = pool(relu(conv(h, k2) + a2.reshape(1, -1, 1, 1)))
    return relu(h.reshape(BATCH, -1) @ w1 + b1) @ w2 + b2


class Model:
    """The network on optshare's Parameters."""

    def __init__(self, parameters, box):
        self.parameters = list(map(box, parameters))

    def __call__(self, x):
        from optshare import ops, relu

        def pool(x):
            return ops.nn.max_pool(x, 2)

        return lenet(ops.nn.conv, pool, relu, [each.value for each in self.parameters], x)


def module():
    """The network in torch."""
    from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

    return Sequential(
        *(Conv2d(1, 20, 5), ReLU(), MaxPool2d(2)),
        *(Conv2d(20, 50, 5), ReLU(), MaxPool2d(2)),
        *(Flatten(), Linear(800, 500), ReLU(), Linear(500, 10)),
    )


def _conv_in_autograd(x, weight):
    """Its convolution turns the filters, and wants them as (in, out, height, width)."""
    import autograd.numpy as anp
    from autograd.scipy.signal import convolve

    turned = anp.transpose(weight, (1, 0, 2, 3))[:, :, ::-1, ::-1]
    return convolve(x, turned, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")


def _pool_in_autograd(x):
    import autograd.numpy as anp

    n, channels, height, width = x.shape
    windows = x.reshape(n, channels, height // 2, 2, width // 2, 2)
    return anp.max(anp.max(windows, axis=3), axis=4)


def in_autograd(parameters, x, y):
    """The loss of the network in HIPS autograd."""
    scores = lenet(_conv_in_autograd, _pool_in_autograd, relu_in_autograd, parameters, x)
    return nll_in_autograd(scores, y)


def in_mygrad(parameters, x, y):
    """The loss of the network in MyGrad."""
    from mygrad.nnet.activations import relu
    from mygrad.nnet.layers import conv_nd, max_pool
    from mygrad.nnet.losses import softmax_crossentropy

    conv = partial(conv_nd, stride=1)
    pool = partial(max_pool, pool=(2, 2), stride=2)
    return softmax_crossentropy(lenet(conv, pool, relu, parameters, x), y)


def in_jax(parameters, x, y):
    """The loss of the network in JAX."""
    import jax

    def conv(x, weight):
        return jax.lax.conv(x, weight, (1, 1), "VALID")

    def pool(x):
        windows, strides = (1, 1, 2, 2), (1, 1, 2, 2)
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, windows, strides, "VALID")

    return nll_in_jax(lenet(conv, pool, jax.nn.relu, parameters, x), y)


def _conv_products(filters, inputs, places):
    """Forward, for the filters, and, after the first layer, for the input."""
    terms = inputs * 25
    yield filters, terms, BATCH * places
    yield filters, BATCH * places, terms
    if inputs > 1:
        yield terms, filters, BATCH * places


def floor(problem):
    """The network's matrix products, one for each convolution."""
    return matrix_products(
        *_conv_products(20, 1, 24 * 24),
        *_conv_products(50, 20, 8 * 8),
        *dense_products(BATCH, 800, 500, 10),
        (BATCH, 500, 800),
    )


WORKLOAD = Workload(
    name="lenet",
    title="LeNet, 20 and 50 filters of 5x5 on 28x28, batch 64",
    problem=problem,
    contestants={
        "torch eager": torch_eager(module, cross_entropy),
        "torch eager, channels last": torch_eager(module, cross_entropy, channels_last=True),
        "optshare tape": through("tape", Model, nll),
        "optshare functional": through("functional", Model, nll),
        "optshare tape, Variables and back": with_back(Model, nll),
        "HIPS autograd": hips_autograd(in_autograd),
        "MyGrad": mygrad(in_mygrad),
        "jax.jit": jax_jit(in_jax),
        FLOOR: floor,
    },
    limit=0.85,
    roundings=BATCH * 24 * 24 + 2 * (25 + 20 * 25 + 800 + 500),
    notes=[
        "`pool(relu(conv(x)))` twice, then dense layers of 500 and 10. The floor is its matrix "
        "products in NumPy, one for each convolution. HIPS autograd has no convolution for many "
        "images but that of `autograd.scipy.signal`; it is what its own example uses."
    ],
)
