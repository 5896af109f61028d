"""Normalisations by channel: what they share, and GroupNorm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.initializers import ones
from optshare.layers.base import Layer
from optshare.layers.checks import Activation, sizes_and_activation, unfit, whole
from optshare.layers.normalising import (
    along,
    moments,
    narrowed,
    normalised,
    require_eps,
    require_real,
    require_real_dtype,
    widened,
)
from optshare.layers.weights import bias as bias_of
from optshare.namespace.protocol import Namespace
from optshare.parameter import Box


class ChannelNorm(Layer):
    """What normalisations of (batch, channels, *space) share: a weight and a bias by channel."""

    names: tuple[str, ...] = ("channels",)
    """Of the sizes."""
    optional = 1
    """How many of the last sizes may be left out."""
    space = 0
    """The least number of axes after the channels."""

    def _begin(
        self,
        sizes: Sequence[Any],
        activation: Activation | None,
        eps: Any,
        affine: bool,
        dtype: Any,
    ) -> None:
        """Keep the arguments that all have, and make the parameters."""
        name = type(self).__name__
        self._sizes, self.activation = sizes_and_activation(name, sizes, activation)
        if not len(self.names) - self.optional <= len(self._sizes) <= len(self.names):
            raise TypeError(f"{name} takes {', '.join(self.names)}, not {len(self._sizes)} sizes")
        whole(name, **dict(zip(self.names, self._sizes, strict=False)))
        require_eps(name, eps)
        require_real_dtype(name, dtype)
        self.eps, self.affine = eps, bool(affine)
        self.weight = bias_of((self._asked,), dtype, ones) if affine else None
        self.bias = bias_of((self._asked,), dtype) if affine else None

    @property
    def _asked(self) -> int | None:
        """The number of channels that was given."""
        return self._sizes[-1] if len(self._sizes) == len(self.names) else None

    def _boxes(self) -> list[Box]:
        """What has one element for each channel."""
        return [each for each in (self.weight, self.bias) if each is not None]

    def given(self) -> tuple[Any, ...]:
        """The sizes, and the activation."""
        return (*self._sizes, *([] if self.activation is None else [self.activation]))

    def _shape_of(self, x: Any) -> tuple[int, ...]:
        """The shape of an input; raises `DataError` if it does not fit."""
        given: Any = getattr(x, "shape", ())
        shape: tuple[int, ...] = tuple(given)
        boxes = self._boxes()
        known = next((box for box in boxes if box.built), None)
        fits = known is not None and shape[1:2] == known.shape and x.dtype == known.dtype
        if not fits or len(shape) < 2 + self.space:
            self._require(x, self._asked if known is None else known.shape[0])
        self._admit(x, shape)
        for box in boxes:
            if not box.built:
                box.build((shape[1],))
        return shape

    def _require(self, x: Any, channels: int | None) -> None:
        """Raise unless an input has so many channels, some for `None`."""
        shape = require_real(self, x)
        if len(shape) < 2 + self.space or not shape[1] or channels not in (None, shape[1]):
            space = ", space, ..." if self.space else ", *space"
            count = "some" if channels is None else channels
            raise unfit(self, f"an array (batch, channels{space}) with {count} channels", x)

    def _admit(self, x: Any, shape: tuple[int, ...]) -> None:
        """Raise for what else does not fit, before anything is drawn."""

    def _output(self, ops: Namespace, centred: Any, variance: Any, shape: Sequence[int]) -> Any:
        """The normalised array, with weight and bias in a shape that broadcasts."""
        weight, bias = along(self.weight, shape), along(self.bias, shape)
        return normalised(ops, centred, variance, self.eps, weight, bias)

    def _finished(self, ops: Namespace, y: Any, x: Any) -> Any:
        """The output, in the dtype that belongs to the input."""
        y = narrowed(ops, y, x, self.weight)
        return y if self.activation is None else self.activation(y)


class GroupNorm(ChannelNorm):
    """Normalises each group of channels of each example: (x - mean) / sqrt(var + eps), scaled.

    `GroupNorm(groups)`, `GroupNorm(groups, channels)`, and either with an activation behind. It
    does the same in training and in prediction, and for any size of batch.

    Args:
        sizes: the number of groups, and that of channels, which it must divide.
        activation: a function of an array; none by default.
        eps: is added to the variance, which is the biased one.
        affine: whether each channel has a weight (at first 1) and a bias (at first 0).
        dtype: of the parameters.

    Shapes: (batch, channels, *space) to the same. FLOPs: 5 for each element, 6 if affine, and
    for each example 5 for each group, and 1 for each channel if affine.

    Raises:
        DataError: the groups do not divide the channels; when called, the input has another
            number of channels, or integers.

    Source: Wu and He, Group Normalization, 2018.

    >>> x = np.arange(8.0).reshape(1, 4, 2)
    >>> GroupNorm(2, dtype="float64")(x)[0, :2].round(2)
    array([[-1.34, -0.45],
           [ 0.45,  1.34]])
    """

    names = ("groups", "channels")

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        self._begin(sizes, activation, eps, affine, dtype)
        self.groups: int = self._sizes[0]
        if self._asked is not None:
            self._require_divided(self._asked)

    def _require_divided(self, channels: int) -> None:
        if channels % self.groups:
            raise DataError(f"{self!r}: {self.groups} groups do not divide {channels} channels")

    def _admit(self, x: Any, shape: tuple[int, ...]) -> None:
        self._require_divided(shape[1])
        if 0 in shape[2:]:
            raise unfit(self, "at least one element in each group", x)

    def __call__(self, x: Any) -> Any:
        """The output, of the shape of the input."""
        batch, channels, *space = shape = self._shape_of(x)
        ops = namespace_of(x)
        inside = [self.groups, channels // self.groups]
        grouped = ops.reshape(widened(ops, x), (batch, *inside, *space))
        _, centred, variance = moments(ops, grouped, tuple(range(2, len(shape) + 1)))
        y = self._output(ops, centred, variance, (1, *inside, *[1] * len(space)))
        return self._finished(ops, ops.reshape(y, shape), x)
