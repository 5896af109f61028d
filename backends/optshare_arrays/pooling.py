"""Pools: the maximum and the mean of each window.

Elements that tie for the maximum of a window share its gradient evenly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import repeat
from typing import Any

from optshare.extend import Windows, pool_windows
from optshare_arrays.columns import batch_first, batch_last
from optshare_arrays.primitives import Primitive, plain
from optshare_arrays.untyped import np


def max_pool(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """The maximum of each window of x (batch, channels, *space)."""
    return _max_pool(x, pool_windows("max_pool", x.shape, window, stride, padding))


def mean_pool(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window of x (batch, channels, *space); padding counts as zeros."""
    return _mean_pool(x, pool_windows("mean_pool", x.shape, window, stride, padding))


def _met(x: Any, windows: Windows, padding: float = 0.0) -> list[Any]:
    """For each element of the window, what it meets at all places."""
    padded = batch_last(x, windows, padding)
    return [padded[:, *each] for each in windows.slices()]


def _laid(shares: Any, factors: Iterable[Any], windows: Windows, dtype: Any) -> Any:
    """The transpose of `_met`: each element of the window takes the shares times its factor."""
    shape = (len(shares), *windows.padded, shares.shape[-1])
    make = np.empty_like if windows.tile else np.zeros_like
    padded = make(shares, shape=shape, order="C")
    for each, factor in zip(windows.slices(), factors, strict=False):
        place = padded[:, *each]
        if windows.apart:
            np.multiply(shares, factor, out=place)
        else:
            place += shares * factor
    return batch_first(padded[:, *windows.inside], dtype)


def _ties(x: Any, y: Any, windows: Windows) -> tuple[list[Any], Any]:
    """Which element of a window is its maximum y; and how many are, 1 where none is (NaN)."""
    y = batch_last(y)
    ties = [each == y for each in _met(x, windows, np.nan)]
    counts = np.zeros_like(ties[0], np.uint8 if len(ties) < 256 else np.int64)
    for each in ties:
        counts += each.view(np.uint8)
    counts += (counts == 0).view(np.uint8)
    return ties, counts


def _largest(x: Any, windows: Windows) -> Any:
    lowest = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    first, *others = _met(x, windows, lowest)
    y = first.copy()
    for each in others:
        np.maximum(y, each, out=y)
    return batch_first(y, x.dtype)


def _to_largest(g: Any, x: Any, y: Any, windows: Windows) -> Any:
    ties, counts = _ties(x, y, windows)
    return _laid(batch_last(g) / counts, ties, windows, g.dtype)


def _of_largest(h: Any, x: Any, y: Any, windows: Windows) -> Any:
    ties, counts = _ties(x, y, windows)
    total = sum(each * tie for each, tie in zip(_met(h, windows), ties, strict=True))
    return batch_first(total / counts, h.dtype)


def _mean(x: Any, windows: Windows) -> Any:
    parts = _met(x, windows)
    return batch_first(sum(parts[1:], parts[0]) / len(parts), x.dtype)


def _to_mean(g: Any, windows: Windows) -> Any:
    return _laid(batch_last(g) / math.prod(windows.window), repeat(1), windows, g.dtype)


# A gradient is linear: it has a transpose, which is its derivative, and whose derivative it is.
_max_pool = Primitive(
    _largest,
    [lambda g, y, x, windows: _max_pool_gradient(g, plain(x), plain(y), windows)],
    name="max_pool",
)
_max_pool_gradient = Primitive(
    _to_largest,
    [lambda h, z, g, x, y, windows: _max_pool_elements(h, x, y, windows)],
    name="max_pool_gradient",
)
_max_pool_elements = Primitive(
    _of_largest,
    [lambda g, z, h, x, y, windows: _max_pool_gradient(g, x, y, windows)],
    name="max_pool_elements",
)
_mean_pool = Primitive(
    _mean, [lambda g, y, x, windows: _mean_pool_gradient(g, windows)], name="mean_pool"
)
_mean_pool_gradient = Primitive(
    _to_mean, [lambda h, x, g, windows: _mean_pool(h, windows)], name="mean_pool_gradient"
)
