"""BatchNorm and InstanceNorm: normalisation by statistics that may be kept for prediction."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError, HyperparameterError
from optshare.initializers import ones
from optshare.layers.channelnorm import ChannelNorm
from optshare.layers.checks import Activation
from optshare.layers.modes import Modal
from optshare.layers.normalising import Axes, along, moments, widened
from optshare.layers.weights import running
from optshare.namespace.protocol import Namespace
from optshare.parameter import Box, Buffer


class TrackedNorm(Modal, ChannelNorm):
    """What both share: running statistics, which training changes and prediction uses."""

    over: Axes = ()
    """The axes, besides those of space, that a mean is taken over."""

    def _track(self, momentum: Any, track: bool, dtype: Any) -> None:
        """Make the running statistics."""
        if not hasattr(momentum, "__float__") or not 0 <= momentum <= 1:
            raise HyperparameterError(
                f"{type(self).__name__}: momentum must be in [0, 1], not {momentum!r}"
            )
        self.momentum, self.track = momentum, bool(track)
        self.mean = running((self._asked,), dtype) if track else None
        self.var = running((self._asked,), dtype, ones) if track else None

    def _boxes(self) -> list[Box]:
        return [*super()._boxes(), *(each for each in (self.mean, self.var) if each is not None)]

    @property
    def _by_batch(self) -> bool:
        """Whether mean and variance are those of the input."""
        return self.mean is None or self.acts

    def __call__(self, x: Any) -> Any:
        """The output, of the shape of the input; in training the running statistics change."""
        shape = self._shape_of(x)
        ops = namespace_of(x)
        by_channel = (1, shape[1], *[1] * (len(shape) - 2))
        centred, variance = self._moments(ops, widened(ops, x), shape, by_channel)
        return self._finished(ops, self._output(ops, centred, variance, by_channel), x)

    def _moments(self, ops: Namespace, x: Any, shape: Axes, by_channel: Axes) -> tuple[Any, Any]:
        """x - mean, and the variance, of the input or of those before."""
        if not self._by_batch:
            return x - along(self.mean, by_channel), along(self.var, by_channel)
        mean, centred, variance = moments(ops, x, self._axes(shape))
        self._keep(ops, mean, variance, self._count(shape))
        return centred, variance

    def _axes(self, shape: Axes) -> Axes:
        return (*self.over, *range(2, len(shape)))

    def _count(self, shape: Axes) -> int:
        """How many values a variance is that of."""
        return prod(shape[axis] for axis in self._axes(shape))

    def _admit(self, x: Any, shape: Axes) -> None:
        """Raise where the variance is that of fewer than two values."""
        if self._by_batch and self._count(shape) < 2:
            per = "channel" if self.over else "channel of each example"
            raise DataError(
                f"{self!r} needs more than one value for each {per} where it takes their "
                f"variance, as in training; the input has shape {shape}"
            )

    def _keep(self, ops: Namespace, mean: Any, variance: Any, count: int) -> None:
        """Move the running statistics towards those of a batch."""
        if self.mean is not None and self.var is not None:
            self._move(ops, self.mean, mean)
            self._move(ops, self.var, variance * (count / (count - 1)))

    def _move(self, ops: Namespace, statistic: Buffer, batch: Any) -> None:
        old = statistic.value
        rows = ops.reshape(ops.stop_gradient(batch), (-1, old.shape[0]))
        new = (1 - self.momentum) * old + self.momentum * ops.mean(rows, axis=0)
        statistic.value = namespace_of(new).astype(new, old.dtype)


class BatchNorm(TrackedNorm):
    """Normalises each channel by the batch: (x - mean) / sqrt(var + eps) * weight + bias.

    `BatchNorm()`, `BatchNorm(channels)`, and either with an activation behind. In training mean and
    (biased) variance are those of the batch, and the running ones move towards them:
    new = (1 - momentum) * old + momentum * batch, with the unbiased variance. In prediction the
    running ones are used, and do not change. Recording decides which, or `testmode` and its kin.

    Args:
        sizes: the number of channels, which may be left out.
        activation: a function of an array; none by default.
        eps: is added to the variance.
        momentum: the share of each batch in the running statistics, in [0, 1].
        affine: whether each channel has a weight (at first 1) and a bias (at first 0).
        track: whether there are running statistics, the Buffers `mean` (at first 0) and `var`
            (at first 1); without them prediction uses those of its batch too.
        dtype: of parameters and statistics.

    Shapes: (batch, channels, *space) or (batch, features) to the same. FLOPs, in
    prediction: 2 for each element, 3 if affine, and 3 or 4 for each channel.

    Raises:
        DataError: when called, the input has another number of channels, or integers; or the
            batch has one value for a channel, and its variance is asked for.
        HyperparameterError: momentum or eps out of range.

    Source: Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift, 2015.

    >>> from optshare import trainmode
    >>> layer = BatchNorm(momentum=0.5, dtype="float64")
    >>> with trainmode(layer):
    ...     layer(np.array([[1.0], [3.0]])).round(3).tolist()
    [[-1.0], [1.0]]
    >>> layer.mean.value, layer.var.value
    (array([1.]), array([1.5]))
    """

    over = (0,)

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        self._begin(sizes, activation, eps, affine, dtype)
        self._track(momentum, track, dtype)


class InstanceNorm(TrackedNorm):
    """Normalises each channel of each example: (x - mean) / sqrt(var + eps).

    `InstanceNorm()`, `InstanceNorm(channels)`, and either with an activation behind.

    Args:
        sizes: the number of channels, which may be left out.
        activation: a function of an array; none by default.
        eps: is added to the variance, which is the biased one.
        momentum: the share of each batch in the running statistics, in [0, 1].
        affine: whether each channel has a weight (at first 1) and a bias (at first 0).
        track: whether prediction uses running statistics, as `BatchNorm`'s does; they move
            towards the mean over the batch of what its examples have.
        dtype: of parameters and statistics.

    Shapes: (batch, channels, *space) to the same. FLOPs: 5 for each element, 6 if affine, and
    5 for each channel of an example, 6 if affine.

    Raises:
        DataError: when called, the input has another number of channels, or integers, or one
            value for a channel of an example, and its variance is asked for.
        HyperparameterError: momentum or eps out of range.

    Source: Ulyanov, Vedaldi and Lempitsky, Instance Normalization: The Missing Ingredient for Fast
    Stylization, 2016.

    >>> InstanceNorm()(np.array([[[1.0, 3.0], [0.0, 8.0]]])).round(3)
    array([[[-1.,  1.],
            [-1.,  1.]]])
    """

    space = 1

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track: bool = False,
        dtype: Any = np.float32,
    ) -> None:
        self._begin(sizes, activation, eps, affine, dtype)
        self._track(momentum, track, dtype)
