"""Dense: an affine map with an activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import MixedBackendsError
from optshare.initializers import glorot_uniform
from optshare.layers.base import Layer
from optshare.layers.checks import Activation, require_floating, sizes_and_activation, unfit, whole
from optshare.layers.weights import bias as bias_of
from optshare.layers.weights import weight as weight_of
from optshare.orientation import Fans, first_in, first_out


class Dense(Layer):
    """activation(x @ weight + bias), on the last axis of x.

    `Dense(out)`, `Dense(in, out)`, and either with an activation behind.

    Args:
        sizes: the size of the last axis of the input, which may be left out, and
            that of the output.
        activation: a function of an array; none by default.
        bias: whether to add one; it begins at 0.
        tie: a layer whose weight this one uses too, transposed: an Embedding, or
            the Dense that this one undoes. It tells the sizes.
        init: `init(shape, dtype, rng)`, or a name, draws the weight, of shape (in, out).
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    Shapes: (..., in) to (..., out). FLOPs: 2 in out for each row, out more with
    a bias.

    Raises:
        DataError: when called, the input has another number of features, or
            integers.

    >>> import numpy as np
    >>> layer = Dense(2)
    >>> layer(np.ones((5, 3), np.float32)).shape, layer.weight.shape
    ((5, 2), (3, 2))
    """

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        bias: bool = True,
        tie: Any = None,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._sizes, self.activation = sizes_and_activation("Dense", sizes, activation)
        self._tied = tie is not None
        if tie is None:
            self.weight = weight_of(init, self._shape(), dtype, rng)
        else:
            self.weight = self._taken(tie)
        out = self.weight.shape[0 if self._tied else 1]
        self.bias = bias_of((out,), self.weight.dtype) if bias else None

    def _shape(self) -> tuple[int | None, int | None]:
        if not 1 <= len(self._sizes) <= 2:
            raise TypeError(
                f"Dense takes Dense(out) or Dense(in, out), not {len(self._sizes)} sizes"
            )
        whole(
            "Dense", **dict(zip(("out_features", "in_features"), self._sizes[::-1], strict=False))
        )
        return (self._sizes[0] if len(self._sizes) == 2 else None), self._sizes[-1]

    def _taken(self, tie: Any) -> Any:
        weight = getattr(tie, "weight", None)
        if self._sizes or len(getattr(weight, "shape", ())) != 2:
            raise TypeError(
                f"Dense(tie=layer) takes its sizes from the matrix of another layer; "
                f"got {tie!r} and sizes {tuple(self._sizes)}"
            )
        return weight

    def __fans__(self) -> dict[str, Fans]:
        """The axes of the weight."""
        return {"weight": first_out(2) if self._tied else first_in(2)}

    def given(self) -> tuple[Any, ...]:
        """The sizes, and the activation."""
        return (*self._sizes, *([] if self.activation is None else [self.activation]))

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (..., out)."""
        features = self.weight.shape[1:] if self._tied else self.weight.shape[:1]
        if getattr(x, "shape", ())[-1:] != features or x.dtype != self.weight.dtype:
            self._fit(x, features)
        weight = self._transposed() if self._tied else self.weight.value
        y = x @ weight if self.bias is None else _affine(x, weight, self.bias.value)
        return y if self.activation is None else self.activation(y)

    def _fit(self, x: Any, features: tuple[int | None, ...]) -> None:
        """Take the number of features if none was given, and else say that it does not fit."""
        shape = require_floating(self, x)
        if not shape or (shape[-1:] != features and features != (None,)):
            raise unfit(self, f"an array whose last axis has {features[0] or 'some'} elements", x)
        if not self.weight.built and not self._tied:
            self.weight.build((shape[-1], self._sizes[-1]))

    def _transposed(self) -> Any:
        """The matrix of the other layer, for this direction; it tells the size of the bias."""
        weight = self.weight.value
        if self.bias is not None and not self.bias.built:
            self.bias.build(tuple(weight.shape[:1]))
        return namespace_of(weight).matrix_transpose(weight)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    try:
        linear = namespace_of(x, weight).nn.linear
    except MixedBackendsError:  # one engine inside another: the operators know both
        return x @ weight + bias
    return linear(x, weight, bias)
