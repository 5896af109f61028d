"""Cases of layers over features: products, words, activations, and layers side by side."""

# Lambdas in a table are not annotated.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import operator
from typing import Any

from optshare.dispatch import namespace_of
from optshare.layers import (
    Activation,
    Bilinear,
    Chain,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Maxout,
    Parallel,
    Reshape,
    SkipConnection,
    relu,
    sigmoid,
    tanh,
)
from optshare.testing.layer_cases.case import Case, case, words

ACTIVATIONS = (
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax",
    "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "tanh", "tanhshrink",
)  # fmt: skip


def tied() -> Chain:
    """Words that are scored by the vectors that they have."""
    words = Embedding(7, 4)
    return Chain(words, Dense(tie=words))


def side_by_side(*arrays: Any) -> Any:
    """Arrays joined along their last axis."""
    return namespace_of(*arrays).concat(arrays, axis=-1)


def _activations() -> dict[str, Case]:
    return {
        f"activation.{each}": case(lambda each=each: Activation(each), (3, 5))
        for each in ACTIVATIONS
    }


CASES: dict[str, Case] = {
    "dense": case(lambda: Dense(4, 3, tanh), (5, 4)),
    "dense.more_axes": case(lambda: Dense(4, 3), (2, 3, 4)),
    "dense.no_bias": case(lambda: Dense(4, 3, bias=False), (1, 4)),
    "dense.tied": case(tied, words(7, 2, 3)),
    "dense.empty": case(lambda: Dense(4, 3), (0, 4)),
    "bilinear": case(lambda: Bilinear(3, 4, 2, sigmoid), (5, 3), (5, 4)),
    "bilinear.no_bias": case(lambda: Bilinear(3, 4, 2, bias=False), (2, 1, 3), (2, 1, 4)),
    "bilinear.empty": case(lambda: Bilinear(3, 4, 2), (0, 3), (0, 4)),
    "embedding": case(lambda: Embedding(7, 4), words(7, 2, 3)),
    "embedding.one": case(lambda: Embedding(7, 4), words(7, 1)),
    "embedding.empty": case(lambda: Embedding(7, 4), words(7, 0, 3)),
    "chain": case(lambda: Chain(Flatten(), Dense(6, 3, relu), Dense(3, 2)), (5, 2, 3)),
    "dropout.prediction": case(lambda: Chain(Dense(4, 3), Dropout(0.5)), (5, 4)),
    "dropout.of_none": case(lambda: Chain(Dense(4, 3), Dropout(0)), (5, 4), training=True),
    "flatten": case(Flatten, (3, 2, 1, 5)),
    "flatten.empty": case(Flatten, (0, 2, 5)),
    "reshape": case(lambda: Reshape(3, -1), (2, 12)),
    "reshape.empty": case(lambda: Reshape(3, -1), (0, 2, 6)),
    "skip": case(lambda: SkipConnection(Dense(4, 4, tanh)), (5, 4)),
    "skip.joined": case(lambda: SkipConnection(Dense(4, 2, tanh), side_by_side), (5, 4)),
    "parallel": case(lambda: Parallel(side_by_side, Dense(4, 2), Dense(4, 3, tanh)), (5, 4)),
    "parallel.sum": case(lambda: Parallel(operator.add, *(Dense(4, 2) for _ in range(3))), (5, 4)),
    "parallel.inputs": case(
        lambda: Parallel(Bilinear(2, 3, 2), left=Dense(4, 2), right=Dense(5, 3)), (3, 4), (3, 5)
    ),
    "maxout": case(lambda: Maxout(lambda: Dense(4, 3), 3), (5, 4)),
    "maxout.empty": case(lambda: Maxout(lambda: Dense(4, 3), 2), (0, 4)),
    **_activations(),
}
