"""Conv and DepthwiseConv: sums over a window at every place of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.errors import DataError
from optshare.initializers import glorot_uniform
from optshare.layers.checks import Activation, whole
from optshare.layers.convolution import Convolution, Known
from optshare.layers.spatial import padding_of
from optshare.layers.weights import bias as bias_of
from optshare.layers.weights import weight as weight_of
from optshare.namespace.windows import Sizes, conv_windows, per_axis


class Conv(Convolution):
    """activation(conv(x, weight) + bias): a cross-correlation over 1 to 3 spatial axes.

    `Conv(window, out)`, `Conv(window, in, out)`, and either with an activation behind.

    Args:
        window: a size for each spatial axis: `(5, 5)` for images.
        sizes: the channels of the input, which may be left out, and of the output.
        activation: a function of an array; none by default.
        stride: how far apart the windows are; a number, or one for each axis.
        padding: zeros around the input: a number, or for each axis a number or a pair
            (before, after); or `"valid"`, none, or `"same"`, as many as keep the
            size where the stride is 1, the odd one after.
        dilation: how far apart the elements of a window are.
        groups: into so many groups channels are split, in and out, each seeing its own.
        bias: whether to add one to each channel; it begins at 0.
        tie: a Conv or ConvTranspose whose weight this one uses too, as it is. It
            tells window, sizes and groups, and nothing else.
        init: `init(shape, dtype, rng)`, or a name, draws the weight, (out, in / groups, *window).
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    Shapes: (batch, in, *space) to (batch, out, *places), where an axis of size n has
    (n + before + after - dilation (window - 1) - 1) // stride + 1 places. FLOPs:
    2 prod(window) in / groups out prod(places) for each example, out prod(places)
    more with a bias.

    Raises:
        TypeError: the window is no tuple, or there are too many sizes.
        DataError: an option is not possible; or when called, the input has another
            number of axes or channels, or integers, or is smaller than a window.

    Source: LeCun et al., Gradient-based learning applied to document recognition, 1998.

    >>> layer = Conv((5, 5), 20)
    >>> layer(np.ones((2, 1, 28, 28), np.float32)).shape, layer.weight.shape
    ((2, 20, 24, 24), (20, 1, 5, 5))
    """

    def __init__(
        self,
        window: Any = None,
        *sizes: Any,
        activation: Activation | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        tie: Any = None,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._take(window, sizes, activation, tie)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self._options = conv_options("Conv", self.window, stride, padding, dilation)
        self.groups = groups_of("Conv", groups, tie)
        if tie is None:
            self.weight = weight_of(init, self._shape(), dtype, rng)
        self.bias = bias_of(self.weight.shape[:1], self.weight.dtype) if bias else None

    def _shape(self) -> Known:
        inner, outer = self._in_and_out()
        require_groups("Conv", self.groups, inner, outer)
        return outer, None if inner is None else inner // self.groups, *self.window

    def _channels(self, weight: Known) -> tuple[int | None, int | None]:
        return None if weight[1] is None else weight[1] * self.groups, weight[0]

    def _missing(self, channels: int) -> int:
        return channels // self.groups

    def _require_places(self, x: Sizes, weight: Sizes) -> None:
        conv_windows(x, weight, **self._options, groups=self.groups)

    def _applied(self, nn: Any, x: Any, weight: Any) -> Any:
        return nn.conv(x, weight, **self._options, groups=self.groups)


class DepthwiseConv(Convolution):
    """activation(conv(x, weight) + bias), where each channel is seen alone.

    `DepthwiseConv(window)`, `DepthwiseConv(window, channels)`, and either with an
    activation behind. Output channel i sees input channel i // multiplier.

    Args:
        window: a size for each spatial axis.
        sizes: the channels of the input, which may be left out.
        activation: a function of an array; none by default.
        multiplier: how many output channels there are for each of the input.

    stride, padding, dilation, bias, init, dtype and rng are those of `Conv`; the weight
    is (channels multiplier, 1, *window).

    Shapes: (batch, channels, *space) to (batch, channels multiplier, *places). FLOPs:
    2 prod(window) channels multiplier prod(places) for each example, and
    channels multiplier prod(places) more with a bias.

    Raises:
        TypeError, DataError: as `Conv`.

    Source: Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, 2017.

    >>> layer = DepthwiseConv((3, 3), padding="same", multiplier=2)
    >>> layer(np.ones((2, 3, 8, 8), np.float32)).shape, layer.weight.shape
    ((2, 6, 8, 8), (6, 1, 3, 3))
    """

    def __init__(
        self,
        window: Any,
        *sizes: Any,
        activation: Activation | None = None,
        multiplier: int = 1,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        bias: bool = True,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._take(window, sizes, activation, None)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self._options = conv_options("DepthwiseConv", self.window, stride, padding, dilation)
        whole("DepthwiseConv", multiplier=multiplier)
        self.multiplier = multiplier
        self.weight = weight_of(init, self._shape(), dtype, rng)
        self.bias = bias_of(self.weight.shape[:1], dtype) if bias else None

    def _shape(self) -> Known:
        if len(self._sizes) > 1:
            raise TypeError(
                f"DepthwiseConv takes DepthwiseConv(window) or DepthwiseConv(window, channels), "
                f"not {len(self._sizes)} sizes; say how many come out by multiplier="
            )
        whole("DepthwiseConv", **dict(zip(("channels",), self._sizes, strict=False)))
        out = self._sizes[0] * self.multiplier if self._sizes else None
        return out, 1, *self.window

    def _channels(self, weight: Known) -> tuple[int | None, int | None]:
        return None if weight[0] is None else weight[0] // self.multiplier, weight[0]

    def _missing(self, channels: int) -> int:
        return channels * self.multiplier

    def _require_places(self, x: Sizes, weight: Sizes) -> None:
        conv_windows(x, weight, **self._options, groups=x[1])

    def _applied(self, nn: Any, x: Any, weight: Any) -> Any:
        return nn.conv(x, weight, **self._options, groups=x.shape[1])


def conv_options(
    name: str, window: Sizes, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    """Where the windows of a convolution lie: numbers for each axis.

    >>> conv_options("Conv", (3,), 1, "same", 1)
    {'stride': (1,), 'padding': ((1, 1),), 'dilation': (1,)}
    """
    steps = per_axis(name, "stride", stride, len(window), 1)
    holes = per_axis(name, "dilation", dilation, len(window), 1)
    pads = padding_of(name, padding, window, steps, holes)
    return {"stride": steps, "padding": pads, "dilation": holes}


def groups_of(name: str, groups: Any, tie: Any) -> int:
    """The number of groups: that of a tied layer, if there is one."""
    whole(name, groups=groups)
    if tie is None:
        return int(groups)
    if groups not in (1, tie.groups):
        raise DataError(f"{name}: groups={groups} does not fit tie={tie!r}; leave it out")
    return tie.groups


def require_groups(name: str, groups: int, inner: int | None, outer: int) -> None:
    """Raise `DataError` unless the groups divide the channels that are known."""
    for which, channels in (("input", inner), ("output", outer)):
        if channels is not None and channels % groups:
            raise DataError(f"{name}: groups={groups} must divide the {channels} {which} channels")
