"""AdaptiveMaxPool and AdaptiveMeanPool: windows that give an output of a wanted size."""

from __future__ import annotations

import itertools
from typing import Any

from optshare.dispatch import namespace_of
from optshare.layers.base import Layer
from optshare.layers.spatial import axes_told, space_of
from optshare.namespace.protocol import Namespace
from optshare.namespace.windows import Sizes, per_axis


class AdaptivePool(Layer):
    """What the adaptive pools share: the size of the output."""

    def __init__(self, size: Any) -> None:
        per_axis(type(self).__name__, "size", size, axes_told(size) or 1, 1)
        self.size = size

    def given(self) -> tuple[Any, ...]:
        """The size."""
        return (self.size,)

    def _sizes(self, x: Any) -> tuple[Sizes, Sizes]:
        """The spatial sizes of an input and of the output."""
        space = space_of(self, x, axes_told(self.size))
        return space, per_axis(type(self).__name__, "size", self.size, len(space), 1)


class AdaptiveMaxPool(AdaptivePool):
    """The maximum of each of as many windows as wanted, as in PyTorch.

    Along an axis of size n, window i of m holds the elements from floor(i n / m) to
    before ceil((i + 1) n / m): they overlap where m does not divide n. Elements that
    tie share the gradient evenly.

    Args:
        size: of the output along all of 1 to 3 spatial axes, or for each.

    Shapes: (batch, channels, *space) to (batch, channels, *size). FLOPs: 1 for each
    element of each window; channels prod(space) for each example where sizes divide.

    Raises:
        DataError: the size is not possible; or when called, the input has another
            number of axes, or an empty one, or integers.

    >>> import numpy as np
    >>> AdaptiveMaxPool(2)(np.array([[[1., 5., 2., 3., 4.]]]))
    array([[[5., 4.]]])
    """

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (batch, channels, *size)."""
        (space, size), ops = self._sizes(x), namespace_of(x)
        if even := _even(space, size):
            return ops.nn.max_pool(x, even)
        axes, every = tuple(range(2, 2 + len(space))), slice(None)
        windows = itertools.product(*map(_windows, space, size))
        found = [ops.max(x[(every, every, *each)], axis=axes) for each in windows]
        return ops.reshape(ops.stack(found, axis=-1), (*x.shape[:2], *size))


class AdaptiveMeanPool(AdaptivePool):
    """The mean of each of as many windows as wanted, as in PyTorch's AdaptiveAvgPool.

    The windows are those of `AdaptiveMaxPool`.

    Args:
        size: of the output along all of 1 to 3 spatial axes, or for each.

    Shapes: (batch, channels, *space) to (batch, channels, *size). FLOPs: 1 for each
    element of each window along one axis after the other; channels prod(space) for
    each example where sizes divide.

    Raises:
        DataError: as `AdaptiveMaxPool`.

    >>> import numpy as np
    >>> AdaptiveMeanPool(2)(np.array([[[1., 5., 3., 3., 6.]]]))
    array([[[3., 4.]]])
    """

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (batch, channels, *size)."""
        (space, size), ops = self._sizes(x), namespace_of(x)
        if even := _even(space, size):
            return ops.nn.mean_pool(x, even)
        for axis, each in enumerate(zip(space, size, strict=True), start=2):
            x = _averaged(ops, x, axis, *each)
        return x


def _even(space: Sizes, size: Sizes) -> Sizes | None:
    """The window that gives the size, if all are alike."""
    if any(n % wanted for n, wanted in zip(space, size, strict=True)):
        return None
    return tuple(n // wanted for n, wanted in zip(space, size, strict=True))


def _windows(n: int, size: int) -> list[slice]:
    """Where the windows along an axis begin and end."""
    return [slice(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


def _averaged(ops: Namespace, x: Any, axis: int, n: int, size: int) -> Any:
    """The means along one axis: means of windows are means of means."""
    if n == size:
        return x
    before = (slice(None),) * axis
    windows = [x[(*before, each)] for each in _windows(n, size)]
    return ops.concat([ops.mean(each, axis=axis, keepdims=True) for each in windows], axis=axis)
