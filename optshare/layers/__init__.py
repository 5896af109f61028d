"""Layers: callables that hold Parameters, written once for every engine."""

from optshare.layers.activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from optshare.layers.base import Layer
from optshare.layers.chain import Chain
from optshare.layers.dense import Dense
from optshare.layers.dropout import Dropout
from optshare.layers.flatten import Flatten
from optshare.layers.model import Model

__all__ = [
    "Chain",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "Model",
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
