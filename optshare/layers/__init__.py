"""Layers: callables that hold Parameters, written once for every engine."""

from optshare.layers.activations import (
    celu,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
    tanhshrink,
)
from optshare.layers.base import Layer
from optshare.layers.chain import Chain
from optshare.layers.dense import Dense
from optshare.layers.dot_product import attention
from optshare.layers.dropout import Dropout
from optshare.layers.encodings import LearnedEncoding, RotaryEncoding, SinusoidalEncoding
from optshare.layers.flatten import Flatten
from optshare.layers.model import Model
from optshare.layers.multihead import MultiHeadAttention
from optshare.layers.transformer import TransformerBlock

__all__ = [
    "Chain",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "LearnedEncoding",
    "Model",
    "MultiHeadAttention",
    "RotaryEncoding",
    "SinusoidalEncoding",
    "TransformerBlock",
    "attention",
    "celu",
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
]
