"""Bilinear: a bilinear form of two inputs for each output."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.initializers import glorot_uniform
from optshare.layers.base import Layer
from optshare.layers.checks import Activation, require_floating, sizes_and_activation, unfit, whole
from optshare.layers.weights import bias as bias_of
from optshare.layers.weights import weight as weight_of
from optshare.orientation import Fans, first_out


class Bilinear(Layer):
    """activation(x @ weight[k] @ y + bias[k]) for each output k, on the last axes of x and y.

    `Bilinear(out)`, `Bilinear(in1, in2, out)`, and either with an activation behind. It is called
    with two arrays, and so may be the connection of a Parallel.

    Args:
        sizes: those of the last axes of the inputs, which may be left out, and of the output.
        activation: a function of an array; none by default.
        bias: whether to add one; it begins at 0.
        init: `init(shape, dtype, rng)`, or a name, draws the weight, of shape (out, in1, in2).
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    Shapes: (..., in1) and (..., in2) to (..., out). FLOPs: 2 out in2 (in1 + 1) for each row, out
    more with a bias.

    Raises:
        DataError: when called, an input has another number of features, or integers, or the
            inputs have different axes before the last.

    >>> layer = Bilinear(4)
    >>> layer(np.ones((5, 2), np.float32), np.ones((5, 3), np.float32)).shape, layer.weight.shape
    ((5, 4), (4, 2, 3))
    """

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        bias: bool = True,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._sizes, self.activation = sizes_and_activation("Bilinear", sizes, activation)
        if len(self._sizes) not in (1, 3):
            raise TypeError(
                f"Bilinear takes Bilinear(out) or Bilinear(in1, in2, out), "
                f"not {len(self._sizes)} sizes"
            )
        out, *features = self._sizes[-1:] + self._sizes[:-1]
        whole("Bilinear", out=out, **dict(zip(("in1", "in2"), features, strict=False)))
        self.weight = weight_of(init, (out, *(features or (None, None))), dtype, rng)
        self.bias = bias_of((out,), dtype) if bias else None

    def __fans__(self) -> dict[str, Fans]:
        """The axes of the weight."""
        return {"weight": first_out(3)}

    def given(self) -> tuple[Any, ...]:
        """The sizes, and the activation."""
        return (*self._sizes, *([] if self.activation is None else [self.activation]))

    def __call__(self, x: Any, y: Any) -> Any:
        """The output for two batches, of shape (..., out)."""
        self._fit(x, y)
        weight = self.weight.value
        ops = namespace_of(x, y, weight)
        rows = ops.tensordot(x, weight, axes=((-1,), (1,)))  # (..., out, in2)
        z = ops.squeeze(ops.matmul(rows, ops.expand_dims(y, axis=-1)), axis=-1)
        z = z if self.bias is None else z + self.bias.value
        return z if self.activation is None else self.activation(z)

    def _fit(self, x: Any, y: Any) -> None:
        """Take the numbers of features if none were given, or say which input does not fit."""
        shapes = require_floating(self, x), require_floating(self, y)
        for array, shape, wanted in zip((x, y), shapes, self.weight.shape[1:], strict=True):
            if not shape or wanted not in (None, shape[-1]) or not shape[-1]:
                raise unfit(
                    self, f"an array whose last axis has {wanted or 'some'} elements", array
                )
        if shapes[0][:-1] != shapes[1][:-1]:
            raise unfit(self, f"a second input of shape {(*shapes[0][:-1], shapes[1][-1])}", y)
        if not self.weight.built:
            self.weight.build((self._sizes[-1], shapes[0][-1], shapes[1][-1]))
