"""One optimizer and one set of layers for every automatic-differentiation engine.

>>> import numpy as np
>>> model = Chain(Dense(2, 8, tanh), Dense(8, 1))
>>> opt = Adam(model, lr=0.01)
>>> x = np.ones((4, 2), np.float32)
>>> loss = opt.step(lambda x, y: mse(model(x), y), x, np.zeros((4, 1), np.float32))
>>> loss.dtype
dtype('float32')
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from optshare.calling import functional_call, operator
from optshare.data import minibatch
from optshare.detached import detach
from optshare.differentiate import gradient, record, value_and_gradient
from optshare.dispatch import namespace_of, ops
from optshare.errors import OptshareError
from optshare.faces import SGD, Adam, AdamW, optimizers, update
from optshare.foreign import ask as _ask
from optshare.freezing import freeze, frozen, thaw
from optshare.gradients import Gradients
from optshare.initializers import seed
from optshare.layers import (
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
    Layer,
    LayerNorm,
    LearnedEncoding,
    Maxout,
    MaxPool,
    MeanPool,
    Model,
    MultiHeadAttention,
    Parallel,
    Reshape,
    RMSNorm,
    RotaryEncoding,
    SinusoidalEncoding,
    SkipConnection,
    TransformerBlock,
    attention,
    automode,
    celu,
    depth,
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
    testmode,
    trainmode,
)
from optshare.lazy import lazy_exports as _lazy_exports
from optshare.losses import (
    accuracy,
    binary_focal,
    binarycrossentropy,
    contrastive,
    crossentropy,
    ctc,
    dice,
    focal,
    hinge,
    huber,
    kldivergence,
    label_smoothing,
    mae,
    mse,
    msle,
    nll,
    pairwise_distance,
    poisson,
    squared_hinge,
    tversky,
)
from optshare.moving import to
from optshare.natives import Natives as _Natives
from optshare.optimizer import Optimizer
from optshare.overlay import propagate, recording
from optshare.parameter import Buffer, Parameter
from optshare.registry import use
from optshare.rules import Rule
from optshare.tree import buffers, params

if _TYPE_CHECKING:
    from optshare import schedules
    from optshare.idx import mnist, read_idx, write_idx
    from optshare.overview.summary import flops, nparams, summary
    from optshare.saving import load_state_dict, state_dict
    from optshare.sizes import build, outdims, outputsize, weights
    from optshare.verification import gradcheck
    from optshare.weight_files import load_weights, save_weights

__version__ = "0.1.0"

_ask(_Natives())
__getattr__ = _lazy_exports(
    __name__,
    **{
        "idx": ("mnist", "read_idx", "write_idx"),
        "overview.summary": ("flops", "nparams", "summary"),
        "sizes": ("build", "outdims", "outputsize", "weights"),
        "verification": ("gradcheck",),
        "weight_files": ("load_weights", "save_weights"),
        "schedules": (),
        "saving": ("load_state_dict", "state_dict"),
    },
)

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "BatchNorm",
    "Bilinear",
    "Buffer",
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
    "Gradients",
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
    "Optimizer",
    "OptshareError",
    "Parallel",
    "Parameter",
    "RMSNorm",
    "Reshape",
    "RotaryEncoding",
    "Rule",
    "SinusoidalEncoding",
    "SkipConnection",
    "TransformerBlock",
    "accuracy",
    "attention",
    "automode",
    "binary_focal",
    "binarycrossentropy",
    "buffers",
    "build",
    "celu",
    "contrastive",
    "crossentropy",
    "ctc",
    "depth",
    "detach",
    "dice",
    "elu",
    "flops",
    "focal",
    "freeze",
    "frozen",
    "functional_call",
    "gelu",
    "gradcheck",
    "gradient",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge",
    "huber",
    "kldivergence",
    "label_smoothing",
    "leaky_relu",
    "load_state_dict",
    "load_weights",
    "log_softmax",
    "logsigmoid",
    "mae",
    "minibatch",
    "mish",
    "mnist",
    "mse",
    "msle",
    "namespace_of",
    "nll",
    "nparams",
    "operator",
    "ops",
    "optimizers",
    "outdims",
    "outputsize",
    "pairwise_distance",
    "params",
    "poisson",
    "propagate",
    "read_idx",
    "record",
    "recording",
    "relu",
    "relu6",
    "save_weights",
    "schedules",
    "seed",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "squared_hinge",
    "state_dict",
    "summary",
    "tanh",
    "tanhshrink",
    "testmode",
    "thaw",
    "to",
    "trainmode",
    "tversky",
    "update",
    "use",
    "value_and_gradient",
    "weights",
    "write_idx",
]
