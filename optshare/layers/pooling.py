"""MaxPool and MeanPool: one number for each window of each channel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from optshare.dispatch import namespace_of
from optshare.layers.base import Layer
from optshare.layers.spatial import axes_told, naming, space_of
from optshare.namespace.windows import per_axis, require_meeting


class Pool(Layer):
    """What the pools share: a window, by default 2 along each spatial axis."""

    def __init__(self, window: Any = 2, *, stride: Any = None, padding: Any = 0) -> None:
        name, axes = type(self).__name__, axes_told(window, stride, padding)
        require_meeting(name, window, padding, axes or 1)
        per_axis(name, "stride", 1 if stride is None else stride, axes or 1, 1)
        self.window, self.stride, self.padding = window, stride, padding

    @abstractmethod
    def _pooled(self, nn: Any, x: Any, window: Any, **options: Any) -> Any:
        """The output."""

    def given(self) -> tuple[Any, ...]:
        """The window."""
        return (self.window,)

    def __call__(self, x: Any) -> Any:
        """The output for a batch, of shape (batch, channels, *places)."""
        space_of(self, x, axes_told(self.window, self.stride, self.padding))
        options = {"stride": self.stride, "padding": self.padding}
        return naming(self, self._pooled, namespace_of(x).nn, x, self.window, **options)


class MaxPool(Pool):
    """The maximum of each window; elements that tie for it share its gradient evenly.

    Args:
        window: a number for all of 1 to 3 spatial axes, or one for each; 2 by default.
        stride: how far apart the windows are; the window by default, so that they tile.
        padding: around the input, at most half of the window: a number, or for each
            axis a number or a pair (before, after). It is never the maximum.

    Shapes: (batch, channels, *space) to (batch, channels, *places), where an axis of
    size n has (n + before + after - window) // stride + 1 places. FLOPs:
    channels prod(window) prod(places) for each example.

    Raises:
        DataError: an option is not possible; or when called, the input has another
            number of axes, or integers, or is smaller than a window.

    >>> import numpy as np
    >>> MaxPool()(np.array([[[1., 3., 2., 4., 9.]]]))
    array([[[3., 4.]]])
    """

    def _pooled(self, nn: Any, x: Any, window: Any, **options: Any) -> Any:
        return nn.max_pool(x, window, **options)


class MeanPool(Pool):
    """The mean of each window, in which padding counts as zeros.

    PyTorch's AvgPool by default does the same (`count_include_pad=True`). Keras and TensorFlow
    leave the padding out of the mean: their border values are larger.

    Args:
        window: as for `MaxPool`.
        stride: as for `MaxPool`.
        padding: as for `MaxPool`.

    Shapes: (batch, channels, *space) to (batch, channels, *places), as `MaxPool`. FLOPs:
    channels prod(window) prod(places) for each example.

    Raises:
        DataError: as `MaxPool`.

    >>> import numpy as np
    >>> MeanPool(2, padding=(1,))(np.array([[[4., 1., 3., 8.]]]))
    array([[[2., 2., 4.]]])
    """

    def _pooled(self, nn: Any, x: Any, window: Any, **options: Any) -> Any:
        return nn.mean_pool(x, window, **options)
