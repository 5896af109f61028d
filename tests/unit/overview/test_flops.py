"""The FLOPs of each layer are those that its docstring's formula gives."""

import numpy as np
import pytest

import optshare.layers
from optshare import (
    GRU,
    LSTM,
    RNN,
    Activation,
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    BatchNorm,
    Bilinear,
    Chain,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPool,
    GlobalMeanPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LearnedEncoding,
    Maxout,
    MaxPool,
    MeanPool,
    MultiHeadAttention,
    Parallel,
    Reshape,
    RMSNorm,
    RotaryEncoding,
    SinusoidalEncoding,
    SkipConnection,
    TransformerBlock,
    flops,
    relu,
    trainmode,
)

B, T, F, H = 3, 5, 4, 6  # examples, steps, features, hidden
ROWS, IMAGE = (B, F), (B, 4, 8, 8)
SEQUENCE = (B, T, F)
NUMBERS, STEPS = B * 4 * 64, B * T
DENSE = 2 * F * H + H
ATTENTION = 8 * T * F * F + 4 * T * F + 4 * T * T * F + 3 * T * T * 2 + T * F

CASES = [
    (Dense(F, H), [ROWS], B * DENSE),
    (Dense(F, H, relu, bias=False), [ROWS], B * (2 * F * H + H)),
    (Dense(H), [SEQUENCE], STEPS * DENSE),
    (Bilinear(F, H, 7), [ROWS, (B, H)], B * (2 * 7 * H * (F + 1) + 7)),
    (
        Conv((3, 3), 4, 6, stride=2, padding=1, groups=2),
        [(B, 4, 7, 7)],
        B * 16 * 6 * (2 * 9 * 2 + 1),
    ),
    (ConvTranspose((3, 3), 4, 6, stride=2), [(B, 4, 7, 7)], B * 6 * (2 * 9 * 4 * 49 + 15 * 15)),
    (DepthwiseConv((3, 3), 4, multiplier=2), [(B, 4, 7, 7)], B * 8 * 25 * (2 * 9 + 1)),
    (MaxPool(2), [IMAGE], NUMBERS),
    (MeanPool(3, stride=2), [(B, 4, 9, 9)], B * 4 * 16 * 9),
    (GlobalMaxPool(), [IMAGE], NUMBERS),
    (GlobalMeanPool(), [IMAGE], NUMBERS + B * 4),
    (AdaptiveMaxPool((2, 2)), [IMAGE], NUMBERS),
    (AdaptiveMeanPool((2, 2)), [IMAGE], NUMBERS),
    (BatchNorm(4), [IMAGE], 3 * NUMBERS + 4 * 4),
    (BatchNorm(4, affine=False), [IMAGE], 2 * NUMBERS + 3 * 4),
    (InstanceNorm(4), [IMAGE], 5 * NUMBERS + 5 * B * 4),
    (InstanceNorm(4, affine=True), [IMAGE], 6 * NUMBERS + 6 * B * 4),
    (GroupNorm(2, 4), [IMAGE], 6 * NUMBERS + 5 * B * 2 + B * 4),
    (LayerNorm(F), [SEQUENCE], 7 * STEPS * F + 5 * STEPS),
    (LayerNorm(F, affine=False), [SEQUENCE], 5 * STEPS * F + 5 * STEPS),
    (RMSNorm(F), [SEQUENCE], 4 * STEPS * F + 4 * STEPS),
    (RNN(F, H), [SEQUENCE], STEPS * (2 * H * (F + H) + 3 * H)),
    (LSTM(F, H), [SEQUENCE], STEPS * (8 * H * (F + H) + 17 * H)),
    (LSTM(H, bidirectional=True), [SEQUENCE], 2 * STEPS * (8 * H * (F + H) + 17 * H)),
    (GRU(F, H), [SEQUENCE], STEPS * (6 * H * (F + H) + 16 * H)),
    (MultiHeadAttention(F, 2), [SEQUENCE], B * ATTENTION),
    (
        TransformerBlock(F, 2, hidden=16),
        [SEQUENCE],
        B * ATTENTION
        + 2 * (7 * STEPS * F + 5 * STEPS)
        + STEPS * (4 * F * 16 + 16 + F + 16 + 2 * F),
    ),
    (SinusoidalEncoding(), [SEQUENCE], STEPS * F),
    (LearnedEncoding(T, F), [SEQUENCE], STEPS * F),
    (RotaryEncoding(), [(B, 2, T, F)], 3 * 2 * STEPS * F),
    (Maxout(Dense(F, H), Dense(F, H)), [ROWS], 2 * B * (DENSE + H)),
    (SkipConnection(Dense(F, F)), [ROWS], B * (2 * F * F + F) + B * F),
    (Parallel(lambda a, b: a + b, Dense(F, H), Dense(F, H)), [ROWS], 2 * B * DENSE + B * H),
    (Chain(Dense(F, H), Activation("tanh")), [ROWS], B * (DENSE + H)),
    (Activation("tanh"), [ROWS], B * F),
    (Dropout(0.5), [ROWS], 0),
    (Flatten(), [IMAGE], 0),
    (Reshape(2, 2), [ROWS], 0),
]


@pytest.mark.parametrize(("layer", "shapes", "wanted"), CASES, ids=lambda each: repr(each)[:40])
def test_flops_are_those_counted_by_hand(layer, shapes, wanted):
    assert flops(layer, *shapes) == wanted


def test_an_embedding_computes_nothing():
    assert flops(Embedding(9, F), (B, T), dtype=np.int64) == 0


def test_dropout_that_acts_multiplies_and_divides_and_counts_its_calls():
    layer = Dropout(0.5)
    with trainmode(layer):
        assert flops(layer, ROWS) == 2 * B * F + 1


def test_every_layer_has_a_count_here():
    counted = {type(layer) for layer, *_ in CASES} | {Embedding}
    kinds = {
        each
        for each in vars(optshare.layers).values()
        if isinstance(each, type) and issubclass(each, optshare.layers.Layer)
    }
    assert kinds - counted == {optshare.layers.Layer, optshare.layers.Model}
