"""The functions of neural networks that both engines have themselves; `ops.nn` adds fallbacks."""

from optshare_arrays.classification import cross_entropy
from optshare_arrays.neural import log_softmax, relu, sigmoid
from optshare_arrays.recurrent import gru, lstm

__all__ = ["cross_entropy", "gru", "log_softmax", "lstm", "relu", "sigmoid"]
