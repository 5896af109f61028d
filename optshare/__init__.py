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

from optshare.data import minibatch
from optshare.differentiate import gradient, record, value_and_gradient
from optshare.dispatch import namespace_of, ops
from optshare.errors import OptshareError
from optshare.faces import SGD, Adam, AdamW
from optshare.foreign import ask as _ask
from optshare.gradients import Gradients
from optshare.initializers import seed
from optshare.layers import (
    GRU,
    LSTM,
    RNN,
    Chain,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Model,
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
from optshare.lazy import lazy_exports as _lazy_exports
from optshare.losses import accuracy, crossentropy, mse, nll
from optshare.moving import to
from optshare.natives import Natives as _Natives
from optshare.optimizer import Optimizer
from optshare.overlay import propagate, recording
from optshare.parameter import Buffer, Parameter
from optshare.registry import use
from optshare.rules import Rule
from optshare.tree import buffers, freeze, params, thaw

if _TYPE_CHECKING:
    from optshare.verification import gradcheck

__version__ = "0.1.0"

_ask(_Natives())
__getattr__ = _lazy_exports(__name__, verification=("gradcheck",))

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AdamW",
    "Buffer",
    "Chain",
    "Dense",
    "Dropout",
    "Flatten",
    "Gradients",
    "Layer",
    "Model",
    "Optimizer",
    "OptshareError",
    "Parameter",
    "Rule",
    "accuracy",
    "buffers",
    "celu",
    "crossentropy",
    "elu",
    "freeze",
    "gelu",
    "gradcheck",
    "gradient",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "minibatch",
    "mish",
    "mse",
    "namespace_of",
    "nll",
    "ops",
    "params",
    "propagate",
    "record",
    "recording",
    "relu",
    "relu6",
    "seed",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
    "thaw",
    "to",
    "use",
    "value_and_gradient",
]
