"""GlobalMaxPool and GlobalMeanPool: one number for each channel."""

from __future__ import annotations

from typing import Any

from optshare.dispatch import namespace_of
from optshare.layers.base import Layer
from optshare.layers.spatial import space_of


class GlobalMaxPool(Layer):
    """The maximum of each channel; elements that tie for it share its gradient evenly.

    Shapes: (batch, channels, *space) to (batch, channels, 1, ...), with as many axes.
    FLOPs: 1 for each element of the input.

    Raises:
        DataError: when called, the input has not 1 to 3 spatial axes, or an empty one,
            or integers.

    >>> import numpy as np
    >>> GlobalMaxPool()(np.array([[[[1., 2.], [4., 3.]]]]))
    array([[[[4.]]]])
    """

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (batch, channels, 1, ...)."""
        axes = tuple(range(2, 2 + len(space_of(self, x))))
        return namespace_of(x).max(x, axis=axes, keepdims=True)


class GlobalMeanPool(Layer):
    """The mean of each channel.

    Shapes: (batch, channels, *space) to (batch, channels, 1, ...), with as many axes.
    FLOPs: 1 for each element of the input and of the output.

    Raises:
        DataError: as `GlobalMaxPool`.

    Source: Lin, Chen and Yan, Network in Network, 2014.

    >>> import numpy as np
    >>> GlobalMeanPool()(np.array([[[[1., 2.], [4., 3.]]]]))
    array([[[[2.5]]]])
    """

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (batch, channels, 1, ...)."""
        axes = tuple(range(2, 2 + len(space_of(self, x))))
        return namespace_of(x).mean(x, axis=axes, keepdims=True)
