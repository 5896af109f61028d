"""Dense: an affine map with an activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError, MixedBackendsError
from optshare.initializers import generator, glorot_uniform
from optshare.layers.base import Layer
from optshare.parameter import Parameter


class Dense(Layer):
    """activation(x @ weight + bias), on the last axis of x.

    Args:
        in_features: the size of the last axis of the input.
        out_features: the size of the last axis of the output.
        activation: a function of an array; none by default.
        bias: whether to add one; it begins at 0.
        init: `init(shape, dtype, rng)` draws the weight, of shape
            (in_features, out_features).
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    Raises:
        DataError: when called, the input has another number of features.

    >>> import numpy as np
    >>> Dense(3, 2)(np.ones((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: Callable[[Any], Any] | None = None,
        *,
        bias: bool = True,
        init: Callable[..., Any] = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(size, int | np.integer) or size < 1:  # pyright: ignore[reportUnnecessaryIsInstance] # of a user
                raise DataError(f"Dense: {name} must be a whole number, at least 1, not {size!r}")
        if activation is not None and not callable(activation):
            raise TypeError(f"Dense: the activation must be a function, not {activation!r}")
        drawn = init((in_features, out_features), dtype, generator(rng))
        self.weight = Parameter(drawn, dtype)
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (..., out_features)."""
        shape = tuple(getattr(x, "shape", ()))
        if shape[-1:] != self.weight.shape[:1]:
            raise DataError(
                f"{self!r} needs an array whose last axis has {self.weight.shape[0]} elements, "
                f"not {type(x).__name__} of shape {shape}"
            )
        weight = self.weight.value
        y = x @ weight if self.bias is None else _affine(x, weight, self.bias.value)
        return y if self.activation is None else self.activation(y)

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.weight.shape))
        named = f", {getattr(self.activation, '__name__', self.activation)}"
        bare = "" if self.bias is not None else ", bias=False"
        return f"Dense({sizes}{named if self.activation else ''}{bare})"


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    try:
        linear = namespace_of(x, weight).nn.linear
    except MixedBackendsError:  # one engine inside another: the operators know both
        return x @ weight + bias
    return linear(x, weight, bias)
