"""The functions that layers, losses and users call, whatever the engine.

Names and meanings are those of the Array API standard 2024.12
(https://data-apis.org/array-api/2024.12/), except the few named below.
Python scalars never widen an array; other mixtures promote as in NumPy 2.
"""

from collections.abc import Callable
from typing import Any, Protocol

Function = Callable[..., Any]


class NN(Protocol):
    """Functions of neural networks; `ops.nn`.

    Images are (batch, channels, *space), with 1 to 3 spatial axes; options that count along
    these are one number, or one for each. `padding` may also be one pair for each, (before,
    after). They are cross-correlations, and raise `DataError` where shapes do not fit:

    - `conv(x, weight, *, stride=1, padding=0, dilation=1, groups=1)`, weight (out, in / groups,
      *window);
    - `conv_transpose(x, weight, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1)`,
      weight (in, out / groups, *window);
    - `max_pool(x, window, *, stride=None, padding=0)`; the stride is the window by default;
      elements that tie for the maximum of a window share its gradient evenly;
    - `mean_pool(x, window, *, stride=None, padding=0)`; padding counts as zeros.
    """

    celu: Function
    cross_entropy: Function
    """`cross_entropy(scores, labels)`: -log(softmax(scores)) at each label, one for each."""
    conv: Function
    conv_transpose: Function
    elu: Function
    gelu: Function
    hardsigmoid: Function
    hardswish: Function
    hardtanh: Function
    leaky_relu: Function
    log_softmax: Function
    logsigmoid: Function
    max_pool: Function
    mean_pool: Function
    mish: Function
    relu: Function
    relu6: Function
    selu: Function
    sigmoid: Function
    silu: Function
    softmax: Function
    softplus: Function
    softsign: Function
    tanh: Function
    tanhshrink: Function

    embedding: Function
    """`embedding(indices, weight)`: the rows of a weight at integer indices."""
    gru: Function
    """`gru(x, h, input_weight, hidden_weight, input_bias, hidden_bias) -> (hs, h)`."""
    lstm: Function
    """`lstm(x, h, c, input_weight, hidden_weight, bias) -> (hs, h, c)`."""


class Random(Protocol):
    """Random arrays from an explicit key, drawn on the host: equal on every engine."""

    bernoulli: Function
    """`bernoulli(key, probability, like)`: 0 and 1 in the shape and dtype of an array."""


class Namespace(Protocol):
    """A backend's `ops`.

    Beyond the standard: `logsumexp(x, *, axis, keepdims)`;
    `einsum(subscripts, *arrays)`; `pad(x, pad_width, mode="constant", *,
    constant_values=0)`; `stop_gradient(x)`, which gives the value of x as a
    constant; `is_concrete(x)`, which tells whether the numbers of x are
    known now, and not only while a compiled function runs; and `scan(step,
    carry, inputs)`, the loop over time of recurrent networks, which a
    compiler may keep a loop. `real`, `imag` and `conj` take real arrays too.
    """

    nn: NN
    random: Random

    # elementwise
    abs: Function
    acos: Function
    acosh: Function
    add: Function
    asin: Function
    asinh: Function
    atan: Function
    atan2: Function
    atanh: Function
    ceil: Function
    clip: Function
    conj: Function
    cos: Function
    cosh: Function
    divide: Function
    equal: Function
    exp: Function
    expm1: Function
    floor: Function
    greater: Function
    greater_equal: Function
    hypot: Function
    imag: Function
    isfinite: Function
    isinf: Function
    isnan: Function
    less: Function
    less_equal: Function
    log: Function
    log10: Function
    log1p: Function
    log2: Function
    logaddexp: Function
    logical_and: Function
    logical_not: Function
    logical_or: Function
    maximum: Function
    minimum: Function
    multiply: Function
    negative: Function
    not_equal: Function
    positive: Function
    pow: Function
    real: Function
    reciprocal: Function
    round: Function
    sign: Function
    sin: Function
    sinh: Function
    sqrt: Function
    square: Function
    subtract: Function
    tan: Function
    tanh: Function
    trunc: Function
    where: Function

    # reductions and scans
    all: Function
    any: Function
    argmax: Function
    argmin: Function
    cumulative_prod: Function
    cumulative_sum: Function
    diff: Function
    logsumexp: Function
    max: Function
    mean: Function
    min: Function
    prod: Function
    std: Function
    sum: Function
    var: Function

    # shapes and indexing
    broadcast_to: Function
    concat: Function
    expand_dims: Function
    flip: Function
    matrix_transpose: Function
    moveaxis: Function
    pad: Function
    permute_dims: Function
    repeat: Function
    reshape: Function
    roll: Function
    squeeze: Function
    stack: Function
    take: Function
    take_along_axis: Function
    tile: Function
    unstack: Function

    # products
    einsum: Function
    matmul: Function
    tensordot: Function
    vecdot: Function

    # creation and conversion
    arange: Function
    asarray: Function
    astype: Function
    full_like: Function
    ones_like: Function
    zeros_like: Function
    stop_gradient: Function
    is_concrete: Function

    # loops
    scan: Function
