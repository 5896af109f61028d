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
from optshare.layers.dropout import Dropout
from optshare.layers.flatten import Flatten
from optshare.layers.gru import GRU
from optshare.layers.lstm import LSTM
from optshare.layers.model import Model
from optshare.layers.rnn import RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Chain",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "Model",
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
