"""What the convolutions share: sizes that the input may tell, one weight, one bias per channel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from optshare.dispatch import namespace_of
from optshare.layers.base import Layer
from optshare.layers.checks import Activation, require_floating, sizes_and_activation, unfit, whole
from optshare.layers.spatial import images, naming, window_of
from optshare.namespace.windows import Sizes
from optshare.orientation import Fans, first_out
from optshare.parameter import Parameter

Known = tuple[int | None, ...]
"""A shape in which `None` is not known yet."""


class Convolution(Layer):
    """A weight over windows, a bias for each channel of the output, and an activation."""

    activation: Activation | None
    bias: Parameter | None
    weight: Parameter
    window: Sizes

    def _take(self, window: Any, sizes: Any, activation: Activation | None, tie: Any) -> None:
        """Keep the positional arguments, or what a tied layer tells in their place."""
        name = type(self).__name__
        self._tied = tie is not None
        self._sizes, self.activation = sizes_and_activation(name, sizes, activation)
        if tie is None:
            self.window = window_of(name, window)
        elif window is not None or self._sizes or not hasattr(tie, "groups"):
            raise TypeError(
                f"{name}(tie=layer) takes window, sizes and groups from another convolution; "
                f"got {tie!r}, window {window!r} and sizes {tuple(self._sizes)}"
            )
        else:
            self.window, self.weight = tie.window, tie.weight

    def _in_and_out(self) -> tuple[int | None, int]:
        """The sizes given, of which the first may be left out."""
        name, given = type(self).__name__, self._sizes
        if not 1 <= len(given) <= 2:
            raise TypeError(
                f"{name} takes {name}(window, out) or {name}(window, in, out), "
                f"not {len(given)} sizes"
            )
        whole(name, **dict(zip(("out_channels", "in_channels"), given[::-1], strict=False)))
        return (given[0] if len(given) == 2 else None), given[-1]

    @abstractmethod
    def _channels(self, weight: Known) -> tuple[int | None, int | None]:
        """How many channels go in and come out, for a weight of a shape."""

    @abstractmethod
    def _missing(self, channels: int) -> int:
        """The size that the weight lacks, for an input of so many channels."""

    @abstractmethod
    def _require_places(self, x: Sizes, weight: Sizes) -> None:
        """Raise `DataError` unless arrays of these shapes fit."""

    @abstractmethod
    def _applied(self, nn: Any, x: Any, weight: Any) -> Any:
        """The output, without bias."""

    def __fans__(self) -> dict[str, Fans]:
        """The axes of the weight."""
        return {"weight": first_out(2 + len(self.window))}

    def given(self) -> tuple[Any, ...]:
        """The window, the sizes, and the activation."""
        window = [] if self._tied else [self.window]
        return (*window, *self._sizes, *([] if self.activation is None else [self.activation]))

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (batch, out, *space)."""
        known: Known = self.weight.shape
        shape: Any = getattr(x, "shape", ())
        if (
            len(shape) != len(known)
            or shape[1] != self._channels(known)[0]
            or x.dtype != self.weight.dtype
            or not (self.bias is None or self.bias.built)
        ):
            self._fit(x)
        weight = self.weight.value
        ops = namespace_of(x, weight)
        y = naming(self, self._applied, ops.nn, x, weight)
        if self.bias is not None:
            y = y + ops.reshape(self.bias.value, (-1, *(1,) * len(self.window)))
        return y if self.activation is None else self.activation(y)

    def _fit(self, x: Any) -> None:
        """Take the number of channels if none was given, and else say that it does not fit."""
        shape, needed = require_floating(self, x), self._channels(self.weight.shape)[0]
        if len(shape) != 2 + len(self.window) or shape[1] == 0 or needed not in (None, shape[1]):
            raise unfit(self, images(len(self.window), needed), x)
        if self.weight.built and (self.bias is None or self.bias.built):
            return
        full = self._full(shape[1])
        naming(self, self._require_places, shape, full)
        if not self.weight.built:
            self.weight.build(full)
        if self.bias is not None and not self.bias.built:
            out: Any = self._channels(full)[1]
            self.bias.build((out,))

    def _full(self, channels: int) -> Sizes:
        """The shape of the weight, for an input of so many channels."""
        if self._tied:
            return tuple(self.weight.value.shape)
        known: Any = self.weight.shape  # with None where the input tells
        return tuple(self._missing(channels) if each is None else each for each in known)
