"""ConvTranspose: a convolution from its output to its input."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.initializers import glorot_uniform
from optshare.layers.checks import Activation
from optshare.layers.conv import groups_of, require_groups
from optshare.layers.convolution import Convolution, Known
from optshare.layers.weights import bias as bias_of
from optshare.layers.weights import weight as weight_of
from optshare.namespace.windows import Sizes, conv_transpose_windows, extras, pairs, per_axis
from optshare.orientation import Fans, first_in


class ConvTranspose(Convolution):
    """activation(conv_transpose(x, weight) + bias): the transpose of `Conv` as a linear map.

    `ConvTranspose(window, out)`, `ConvTranspose(window, in, out)`, and either with an
    activation behind. It takes the shape of a Conv's output back to that of its input.

    Args:
        window: a size for each spatial axis.
        sizes: the channels of the input, which may be left out, and of the output.
        activation: a function of an array; none by default.
        stride: of the Conv that this one undoes; the output is larger by so much.
        padding: of that Conv: it is cut off the output. In numbers, as for `Conv`.
        output_padding: rows added after each axis of the output, which a Conv of that
            stride would not reach; less than the stride or the dilation.
        tie: a Conv or ConvTranspose whose weight this one uses too, as it is: the
            (out, in / groups, *window) of a Conv are the (in, out / groups, *window)
            of its transpose. It tells window, sizes and groups, and nothing else.
        init: `init(shape, dtype, rng)`, or a name, draws the weight, (in, out / groups, *window).

    dilation, groups, bias, dtype and rng are those of `Conv`.

    Shapes: (batch, in, *space) to (batch, out, *larger), where an axis of size n becomes
    (n - 1) stride + dilation (window - 1) + 1 + output_padding - before - after. FLOPs:
    2 prod(window) in out / groups prod(space) for each example, out prod(larger)
    more with a bias.

    Raises:
        TypeError, DataError: as `Conv`; also where nothing would be left of the output.

    Source: Zeiler et al., Deconvolutional networks, 2010.

    >>> from optshare.layers import Conv
    >>> conv = Conv((3, 3), 1, 8, stride=2, padding=1)
    >>> back = ConvTranspose(tie=conv, stride=2, padding=1, output_padding=1)
    >>> x = np.ones((2, 1, 28, 28), np.float32)
    >>> conv(x).shape, back(conv(x)).shape, back.weight is conv.weight
    ((2, 8, 14, 14), (2, 1, 28, 28), True)
    """

    def __init__(
        self,
        window: Any = None,
        *sizes: Any,
        activation: Activation | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
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
        self.output_padding = output_padding
        self.groups = groups_of("ConvTranspose", groups, tie)
        self._options = self._counted()
        if tie is None:
            self.weight = weight_of(init, self._shape(), dtype, rng)
        out = self._channels(self.weight.shape)[1]
        self.bias = bias_of((out,), self.weight.dtype) if bias else None

    def __fans__(self) -> dict[str, Fans]:
        """The axes of the weight."""
        return {"weight": first_in(2 + len(self.window))}

    def _counted(self) -> dict[str, Any]:
        """Where the windows lie: numbers for each axis."""
        name, axes = "ConvTranspose", len(self.window)
        steps = per_axis(name, "stride", self.stride, axes, 1)
        holes = per_axis(name, "dilation", self.dilation, axes, 1)
        more = extras(name, self.output_padding, steps, holes)
        pads = pairs(name, self.padding, axes)
        return {"stride": steps, "padding": pads, "output_padding": more, "dilation": holes}

    def _shape(self) -> Known:
        inner, outer = self._in_and_out()
        require_groups("ConvTranspose", self.groups, inner, outer)
        return inner, outer // self.groups, *self.window

    def _channels(self, weight: Known) -> tuple[int | None, int | None]:
        return weight[0], None if weight[1] is None else weight[1] * self.groups

    def _missing(self, channels: int) -> int:
        return channels

    def _require_places(self, x: Sizes, weight: Sizes) -> None:
        conv_transpose_windows(x, weight, **self._options, groups=self.groups)

    def _applied(self, nn: Any, x: Any, weight: Any) -> Any:
        return nn.conv_transpose(x, weight, **self._options, groups=self.groups)
