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
from optshare.layers.adaptive_pooling import AdaptiveMaxPool, AdaptiveMeanPool
from optshare.layers.base import Layer
from optshare.layers.chain import Chain
from optshare.layers.conv import Conv, DepthwiseConv
from optshare.layers.conv_transpose import ConvTranspose
from optshare.layers.dense import Dense
from optshare.layers.dropout import Dropout
from optshare.layers.flatten import Flatten
from optshare.layers.global_pooling import GlobalMaxPool, GlobalMeanPool
from optshare.layers.model import Model
from optshare.layers.pooling import MaxPool, MeanPool
from optshare.layers.reshape import Reshape

__all__ = [
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "Chain",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "Layer",
    "MaxPool",
    "MeanPool",
    "Model",
    "Reshape",
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
