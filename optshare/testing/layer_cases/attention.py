"""Cases of attention, of the block that is made of it, and of encodings of positions."""

# Lambdas in a table are not annotated.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.layers import (
    LearnedEncoding,
    MultiHeadAttention,
    RotaryEncoding,
    SinusoidalEncoding,
    TransformerBlock,
    relu,
)
from optshare.sizes import build
from optshare.testing.layer_cases.case import Case, case

PADDED = np.array([[True, True, False], [True, False, False]])[:, None, None, :]
"""Which words of two sequences are there."""
ADDED = np.array([[0.5, -np.inf, 0.25], [-1.0, 0.0, 2.0], [0.0, 1.5, -np.inf]])
"""What is added to the scores of three queries."""


def masked(layer: Any, x: Any, mask: Any) -> Any:
    """The layer, called with a mask."""
    return layer(x, mask=mask)


def of_other_sizes() -> MultiHeadAttention:
    """Attention to keys and values of other numbers of features than the query has."""
    return build(MultiHeadAttention(2), (1, 3, 4), (1, 5, 3), (1, 5, 2))


CASES: dict[str, Case] = {
    "attention": case(lambda: MultiHeadAttention(4, 2), (2, 3, 4)),
    "attention.cross": case(lambda: MultiHeadAttention(4, 2), (2, 3, 4), (2, 5, 4)),
    "attention.sizes": case(of_other_sizes, (2, 3, 4), (2, 5, 3), (2, 5, 2)),
    "attention.causal": case(lambda: MultiHeadAttention(4, 1, causal=True), (1, 4, 4)),
    "attention.padded": case(lambda: MultiHeadAttention(4, 2), (2, 3, 4), PADDED, call=masked),
    "attention.added": case(lambda: MultiHeadAttention(4, 2), (2, 3, 4), ADDED, call=masked),
    "attention.no_bias": case(lambda: MultiHeadAttention(6, 3, bias=False, dropout=0.5), (1, 3, 6)),
    "attention.rotary": case(lambda: MultiHeadAttention(8, 2, rotary=True), (2, 3, 8)),
    "attention.empty": case(lambda: MultiHeadAttention(4, 2), (0, 3, 4)),
    "transformer": case(lambda: TransformerBlock(4, 2), (2, 3, 4)),
    "transformer.norm_last": case(
        lambda: TransformerBlock(4, 2, norm_first=False, activation=relu, hidden=5), (2, 3, 4)
    ),
    "transformer.causal": case(lambda: TransformerBlock(4, 1, causal=True, dropout=0.5), (1, 3, 4)),
    "transformer.padded": case(lambda: TransformerBlock(4, 2), (2, 3, 4), PADDED, call=masked),
    "transformer.empty": case(lambda: TransformerBlock(4, 2), (0, 3, 4)),
    "sinusoidal": case(SinusoidalEncoding, (2, 4, 5)),
    "sinusoidal.empty": case(lambda: SinusoidalEncoding(4), (0, 3, 4)),
    "learned": case(lambda: LearnedEncoding(6, 3), (2, 4, 3)),
    "learned.empty": case(lambda: LearnedEncoding(6, 3), (0, 4, 3)),
    "rotary": case(RotaryEncoding, (2, 4, 6)),
    "rotary.empty": case(RotaryEncoding, (0, 4, 6)),
}
