"""RNN: the plain recurrent network."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.initializers import glorot_uniform
from optshare.layers.activations import tanh
from optshare.layers.checks import Activation, sizes_and_activation
from optshare.layers.recurrent import Arrays, Cell, Recurrent
from optshare.namespace.protocol import Namespace


class RNN(Recurrent):
    """A plain recurrent network, over sequences: h = activation(x W + h U + b) at each step.

    `RNN(hidden)`, `RNN(features, hidden)`, and either with an activation behind. Its arguments,
    and how it is called, are those of `LSTM`; its state has no c.

    Args:
        sizes: the number of features, which may be left out, and the size of h.
        activation: a function of an array, without Parameters; tanh by default.
        layers: as of `LSTM`, and so are the others.
        bidirectional: whether each layer has a second direction.
        bias: whether to add one; it begins at 0.
        dropout: the probability of a zero in what a layer gives to the next.
        return_sequences: whether to give the output at each step.
        init: `init(shape, dtype, rng)`, or a name, draws the weights.
        dtype: of the parameters.
        rng: where to draw from.

    `layer.cells` are the weights of each layer and direction: W `input_weight`
    (features, hidden), U `hidden_weight` (hidden, hidden), b `bias` (hidden,): PyTorch's
    `weight_ih_l0` and `weight_hh_l0`, transposed, and the sum of its `bias_ih_l0` and
    `bias_hh_l0`.

    Shapes: (batch, time, features) to (batch, time, width), where width is hidden, or
    2 * hidden with two directions. FLOPs: for each step, cell and sequence
    2 hidden (features + hidden) + 3 hidden.

    Raises:
        DataError: when called, the input has another rank or number of features, no
            step or integers, or the state does not fit.

    Source: Elman, Finding structure in time, 1990.

    >>> from optshare.layers import relu
    >>> layer = RNN(3, relu)
    >>> outputs, (h,) = layer.run(np.ones((5, 7, 2), np.float32))
    >>> outputs.shape, h.shape
    ((5, 7, 3), (5, 3))
    """

    gates = 1

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        layers: int = 1,
        bidirectional: bool = False,
        bias: bool = True,
        dropout: float = 0.0,
        return_sequences: bool = True,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        numbers, given = sizes_and_activation("RNN", sizes, activation)
        self.activation = tanh if given is None else given
        super().__init__(
            *numbers,
            layers=layers,
            bidirectional=bidirectional,
            bias=bias,
            dropout=dropout,
            return_sequences=return_sequences,
            init=init,
            dtype=dtype,
            rng=rng,
        )

    def given(self) -> tuple[Any, ...]:
        """The sizes, and the activation if it is not tanh."""
        return (*self._sizes, *([] if self.activation is tanh else [self.activation]))

    def _along(self, ops: Namespace, cell: Cell, x: Any, state: Arrays) -> Arrays:
        activation, weight = self.activation, cell.hidden_weight.value

        def step(h: Any, projected: Any) -> tuple[Any, Any]:
            h = activation(projected + h @ weight)
            return h, h

        input_weight, bias = cell.input_weight.value, cell.bias
        projected = x @ input_weight if bias is None else ops.nn.linear(x, input_weight, bias.value)
        h, hs = ops.scan(step, *state, ops.permute_dims(projected, (1, 0, 2)))
        return ops.permute_dims(hs, (1, 0, 2)), h
