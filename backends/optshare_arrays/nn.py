"""The functions of neural networks that both engines have themselves; `ops.nn` adds fallbacks."""

from optshare_arrays.classification import cross_entropy
from optshare_arrays.neural import log_softmax, relu, sigmoid

__all__ = ["cross_entropy", "log_softmax", "relu", "sigmoid"]
