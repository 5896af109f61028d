"""GRU: a gated recurrent unit."""

from __future__ import annotations

from typing import Any

from optshare.layers.recurrent import Arrays, Cell, Recurrent, bias_value
from optshare.namespace.protocol import Namespace


class GRU(Recurrent):
    """A gated recurrent unit, over sequences (batch, time, features).

    The gates of a step are r, z = sigmoid(x W + b + h U + d), and
    n = tanh(x W + b + r (h U + d)); then h = (1 - z) n + z h.

    `GRU(hidden)` or `GRU(features, hidden)`. Its arguments, and how it is called, are those
    of `LSTM`; its state has no c.

    `layer.cells` are the weights of each layer and direction: W `input_weight`
    (features, 3 * hidden), U `hidden_weight` (hidden, 3 * hidden), b `bias` and d
    `hidden_bias` (3 * hidden,), in the order r, z, n, which is PyTorch's: its `weight_ih_l0`
    and `weight_hh_l0`, transposed, `bias_ih_l0` and `bias_hh_l0`.

    Shapes: (batch, time, features) to (batch, time, width), where width is hidden, or
    2 * hidden with two directions. FLOPs: for each step, cell and sequence
    6 hidden (features + hidden) + 16 hidden.

    Raises:
        DataError: when called, the input has another rank or number of features, no
            step or integers, or the state does not fit.

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014;
    reset after the product, as in version 1 of that paper and in cuDNN.

    >>> import numpy as np
    >>> layer = GRU(3)
    >>> outputs, (h,) = layer.run(np.ones((5, 7, 2), np.float32))
    >>> outputs.shape, h.shape
    ((5, 7, 3), (5, 3))
    """

    gates = 3
    biases = ("bias", "hidden_bias")

    def _along(self, ops: Namespace, cell: Cell, x: Any, state: Arrays) -> Arrays:
        hidden_weight = cell.hidden_weight.value
        biases = [bias_value(ops, each, hidden_weight) for each in (cell.bias, cell.hidden_bias)]
        return ops.nn.gru(x, *state, cell.input_weight.value, hidden_weight, *biases)
