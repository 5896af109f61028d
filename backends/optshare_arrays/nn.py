"""The functions of neural networks that both engines have themselves; `ops.nn` adds fallbacks."""

from optshare_arrays.classification import cross_entropy
from optshare_arrays.convolution import conv, conv_transpose
from optshare_arrays.elementwise import tanh
from optshare_arrays.neural import log_softmax, relu, sigmoid, softmax
from optshare_arrays.pooling import max_pool, mean_pool
from optshare_arrays.products import linear
from optshare_arrays.recurrent import gru, lstm

__all__ = [
    "conv",
    "conv_transpose",
    "cross_entropy",
    "gru",
    "linear",
    "log_softmax",
    "lstm",
    "max_pool",
    "mean_pool",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
