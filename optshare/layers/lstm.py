"""LSTM: a long short-term memory."""

from __future__ import annotations

from typing import Any

from optshare.layers.recurrent import Arrays, Cell, Recurrent, bias_value
from optshare.namespace.protocol import Namespace


class LSTM(Recurrent):
    """A long short-term memory, over sequences (batch, time, features).

    The gates i, f, g, o of a step are x W + h U + b; then
    c = sigmoid(f) c + sigmoid(i) tanh(g), and h = sigmoid(o) tanh(c).

    `LSTM(hidden)` or `LSTM(features, hidden)`. `RNN`, `LSTM` and `GRU` take the same
    arguments and are called in the same way:

    - `layer(x)` gives the outputs of the last layer, at each step;
    - `layer.run(x, state)` gives them and the state after the last step;
    - `layer.step(x, state)` takes one step (batch, features);
    - `layer.initial(batch)` is the state that no state stands for: zeros.

    A state is a tuple of arrays (batch, hidden): for each layer, and of it for each
    direction, h and, of an LSTM, c.

    Args:
        sizes: the number of features, which may be left out, and the size of h.
        layers: how many there are, each reading the outputs of the one before.
        bidirectional: whether each layer has a second direction, which begins at
            the end of the sequence; the outputs of the two stand side by side.
        bias: whether to add one; it begins at 0.
        dropout: the probability of a zero in what a layer gives to the next, while
            an engine records.
        return_sequences: `False` gives, instead of the output at each step, the
            one at the end of each direction: (batch, width).
        init: `init(shape, dtype, rng)`, or a name, draws the weights.
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    `layer.cells` are the weights of each layer and direction: W `input_weight`
    (features, 4 * hidden), U `hidden_weight` (hidden, 4 * hidden), b `bias` (4 * hidden,),
    in the order i, f, g, o, which is PyTorch's: its `weight_ih_l0` and `weight_hh_l0`,
    transposed, and the sum of its `bias_ih_l0` and `bias_hh_l0`.

    Shapes: (batch, time, features) to (batch, time, width), where width is hidden, or
    2 * hidden with two directions. FLOPs: for each step, cell and sequence
    8 hidden (features + hidden) + 17 hidden.

    Raises:
        DataError: when called, the input has another rank or number of features, no
            step or integers, or the state does not fit.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; forget gate, Gers
    et al., Learning to forget, 2000.

    >>> import numpy as np
    >>> layer = LSTM(3)
    >>> x = np.ones((5, 7, 2), np.float32)
    >>> layer(x).shape
    (5, 7, 3)
    >>> outputs, (h, c) = layer.run(x)
    >>> bool((outputs[:, -1] == h).all())
    True
    >>> h, (h, c) = layer.step(x[:, 0], (h, c))
    """

    gates = 4
    kept = 2

    def _along(self, ops: Namespace, cell: Cell, x: Any, state: Arrays) -> Arrays:
        (h, c), hidden_weight = state, cell.hidden_weight.value
        bias = bias_value(ops, cell.bias, hidden_weight)
        return ops.nn.lstm(x, h, c, cell.input_weight.value, hidden_weight, bias)
