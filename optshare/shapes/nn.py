"""The functions of neural networks: as they are composed, or by where their windows lie."""

from __future__ import annotations

import math
from typing import Any

from optshare.namespace import fallbacks
from optshare.namespace.windows import conv_transpose_windows, conv_windows, pool_windows
from optshare.parameter import is_array
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops, uncounted
from optshare.shapes.reading import shaped
from optshare.shapes.table import NN, Function, ops
from optshare.shapes.untyped import np

# fmt: off
ACTIVATIONS = (
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
    "tanhshrink",
)
# fmt: on
SOFTMAX = 3
"""The operations for each element: exponential, sum, and quotient or difference."""


def composed(name: str) -> Function:
    """A function of neural networks as a namespace composes it."""
    fallback: Function = fallbacks.NEURAL[name]

    def call(*args: Any, **options: Any) -> Any:
        given = (shaped(each) if is_array(each) else each for each in args)
        return fallback(ops, *given, **options)

    return call


def costing(name: str, cost: int) -> Function:
    """The same, with so many operations for each element of its answer instead."""
    function = composed(name)

    def call(*args: Any, **options: Any) -> Any:
        with uncounted():
            found = function(*args, **options)
        count_flops(cost * found.size)
        return found

    return call


def cross_entropy(scores: Any, labels: Any) -> Any:
    """The negative log-softmax of the scores at each label."""
    with uncounted():
        found = composed("cross_entropy")(scores, labels)
    count_flops(SOFTMAX * shaped(scores).size + found.size)
    return found


def conv(
    x: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Shaped:
    """The cross-correlation of x (batch, in, *space) and weight (out, in / groups, *window)."""
    x, weight = shaped(x), shaped(weight)
    windows = conv_windows(x.shape, weight.shape, stride, padding, dilation, groups)
    shape = (x.shape[0], weight.shape[0], *windows.counts)
    found = Shaped(shape, np.result_type(x.dtype, weight.dtype))
    count_flops(2 * found.size * math.prod(weight.shape[1:]))
    return found


def conv_transpose(
    x: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Shaped:
    """The transpose of `conv` of the same weight, (in, out / groups, *window)."""
    x, weight = shaped(x), shaped(weight)
    windows = conv_transpose_windows(
        x.shape, weight.shape, stride, padding, output_padding, dilation, groups
    )
    count_flops(2 * x.size * math.prod(weight.shape[1:]))
    shape = (x.shape[0], weight.shape[1] * groups, *windows.space)
    return Shaped(shape, np.result_type(x.dtype, weight.dtype))


def pool(name: str) -> Function:
    """The maximum, or the mean, of each window of x (batch, channels, *space)."""

    def call(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Shaped:
        x = shaped(x)
        windows = pool_windows(name, x.shape, window, stride, padding)
        found = Shaped((*x.shape[:2], *windows.counts), x.dtype)
        count_flops(math.prod(windows.window) * found.size)
        return found

    return call


def embedding(indices: Any, weight: Any) -> Any:
    """The rows of a weight at integer indices."""
    with uncounted():
        return composed("embedding")(indices, weight)


NN.update({name: costing(name, 1) for name in ACTIVATIONS})
NN.update({name: costing(name, SOFTMAX) for name in ("softmax", "log_softmax")})
NN.update({name: composed(name) for name in ("gru", "lstm", "linear")})
NN.update({name: pool(name) for name in ("max_pool", "mean_pool")})
NN.update({each.__name__: each for each in (conv, conv_transpose, cross_entropy, embedding)})
