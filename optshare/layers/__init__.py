"""Layers: callables that hold Parameters, written once for every engine."""

from optshare.layers.activation import (
    Activation,
)
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
from optshare.layers.adaptive_pooling import (
    AdaptiveMaxPool,
    AdaptiveMeanPool,
)
from optshare.layers.base import (
    Layer,
)
from optshare.layers.batchnorm import (
    BatchNorm,
    InstanceNorm,
)
from optshare.layers.bilinear import (
    Bilinear,
)
from optshare.layers.chain import (
    Chain,
)
from optshare.layers.channelnorm import (
    GroupNorm,
)
from optshare.layers.combining import (
    Maxout,
    Parallel,
    SkipConnection,
)
from optshare.layers.conv import (
    Conv,
    DepthwiseConv,
)
from optshare.layers.conv_transpose import (
    ConvTranspose,
)
from optshare.layers.dense import (
    Dense,
)
from optshare.layers.depth import (
    depth,
)
from optshare.layers.dot_product import (
    attention,
)
from optshare.layers.dropout import (
    Dropout,
)
from optshare.layers.embedding import (
    Embedding,
)
from optshare.layers.encodings import (
    LearnedEncoding,
    RotaryEncoding,
    SinusoidalEncoding,
)
from optshare.layers.flatten import (
    Flatten,
)
from optshare.layers.global_pooling import (
    GlobalMaxPool,
    GlobalMeanPool,
)
from optshare.layers.gru import (
    GRU,
)
from optshare.layers.layernorm import (
    LayerNorm,
    RMSNorm,
)
from optshare.layers.lstm import (
    LSTM,
)
from optshare.layers.model import (
    Model,
)
from optshare.layers.modes import (
    automode,
    testmode,
    trainmode,
)
from optshare.layers.multihead import (
    MultiHeadAttention,
)
from optshare.layers.pooling import (
    MaxPool,
    MeanPool,
)
from optshare.layers.reshape import (
    Reshape,
)
from optshare.layers.rnn import (
    RNN,
)
from optshare.layers.transformer import (
    TransformerBlock,
)

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "BatchNorm",
    "Bilinear",
    "Chain",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "GroupNorm",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LearnedEncoding",
    "MaxPool",
    "Maxout",
    "MeanPool",
    "Model",
    "MultiHeadAttention",
    "Parallel",
    "RMSNorm",
    "Reshape",
    "RotaryEncoding",
    "SinusoidalEncoding",
    "SkipConnection",
    "TransformerBlock",
    "attention",
    "automode",
    "celu",
    "depth",
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
    "testmode",
    "trainmode",
]
