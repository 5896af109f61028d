"""Convolutions, by a product of matrices over the columns of the windows.

Inside, the batch is the last axis, (channels, *space, batch): then all copies run over long
rows. What is given back is a view of that memory with the batch first, and the functions
that follow keep its order, so nothing is transposed between layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from optshare.extend import Windows, conv_transpose_windows, conv_windows
from optshare_arrays.primitives import Primitive
from optshare_arrays.untyped import np

LARGEST = 1 << 18
"""How many elements the columns may have; those of larger arrays are made in parts."""


def conv(
    x: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The cross-correlation of x (batch, in, *space) and weight (out, in / groups, *window)."""
    windows = conv_windows(x.shape, weight.shape, stride, padding, dilation, groups)
    return correlated(x, weight, windows, groups)


def conv_transpose(
    x: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """The transpose of `conv` of the same weight, (in, out / groups, *window)."""
    windows = conv_transpose_windows(
        x.shape, weight.shape, stride, padding, output_padding, dilation, groups
    )
    return spread(x, weight, windows, groups)


def batch_last(x: Any, windows: Windows | None = None, value: float = 0.0) -> Any:
    """(channels, *space, batch), contiguous; with the padding of windows, if there is any."""
    x = x.transpose(*range(1, x.ndim), 0)
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    if windows is None or windows.padded == windows.space:
        return np.ascontiguousarray(x)
    padded = np.full_like(x, value, shape=(len(x), *windows.padded, x.shape[-1]), order="C")
    padded[:, *windows.inside] = x
    return padded


def batch_first(x: Any, dtype: Any) -> Any:
    """(batch, channels, *space), a view of the same memory."""
    return x.astype(dtype, copy=False).transpose(-1, *range(x.ndim - 1))


def _parts(windows: Windows, channels: int, batch: int) -> Iterator[slice]:
    """The places of the windows along the first axis, in parts whose columns are small."""
    rows = windows.counts[0]
    row = channels * math.prod(windows.window) * math.prod(windows.counts[1:]) * batch
    most = max(1, LARGEST // max(row, 1))
    return (slice(start, min(start + most, rows)) for start in range(0, rows, most))


def _met(x: Any, windows: Windows) -> Any:
    """What the windows meet, a view: (channels, *counts, batch, *window)."""
    axes = range(1, x.ndim - 1)
    met = np.lib.stride_tricks.sliding_window_view(x, windows.reach, tuple(axes))
    places = tuple(
        slice(0, (n - 1) * s + 1, s) for n, s in zip(windows.counts, windows.stride, strict=True)
    )
    elements = tuple(slice(None, None, d) for d in windows.dilation)
    met = met[:, *places, :, *elements]
    return met.transpose(0, *range(x.ndim, met.ndim), *range(1, x.ndim))


def _columns(met: Any, part: slice, groups: int) -> Any:
    """(groups, channels / groups * window, counts * batch), for some places."""
    axes = (met.ndim - 2) // 2
    some = met[(slice(None),) * (axes + 1) + (part,)]
    return some.reshape(groups, len(met) // groups * math.prod(met.shape[1 : axes + 1]), -1)


def _add_columns(x: Any, columns: Any, part: slice, windows: Windows) -> None:
    """The transpose of `_columns`: adds to x what each window met."""
    some = windows._replace(counts=(part.stop - part.start, *windows.counts[1:]))
    columns = columns.reshape(len(x), math.prod(windows.window), *some.counts, x.shape[-1])
    x = x[:, part.start * windows.stride[0] :]
    for place, each in enumerate(some.slices()):
        met = x[:, *each]
        met += columns[:, place]


def _matrices(weight: Any, groups: int) -> Any:
    """A weight as one matrix for each group."""
    if weight.dtype == np.float16:
        weight = weight.astype(np.float32)
    return weight.reshape(groups, len(weight) // groups, -1)


def _correlate(x: Any, weight: Any, windows: Windows, groups: int) -> Any:
    dtype = np.result_type(x, weight)
    x, matrices = batch_last(x, windows), _matrices(weight, groups)
    shape = (len(weight), *windows.counts, x.shape[-1])
    y = np.empty_like(x, np.result_type(x, matrices), shape=shape)
    met = _met(x, windows)
    for part in _parts(windows, len(x), x.shape[-1]):
        np.matmul(matrices, _columns(met, part, groups), out=_rows(y[:, part], groups))
    return batch_first(y, dtype)


def _spread(g: Any, weight: Any, windows: Windows, groups: int) -> Any:
    dtype = np.result_type(g, weight)
    g, matrices = batch_last(g), _matrices(weight, groups).swapaxes(1, 2)
    shape = (weight.shape[1] * groups, *windows.padded, g.shape[-1])
    x = np.zeros_like(g, np.result_type(g, matrices), shape=shape)
    for part in _parts(windows, len(x), g.shape[-1]):
        columns = np.matmul(matrices, _rows(g[:, part], groups))
        _add_columns(x, columns, part, windows)
    return batch_first(x[:, *windows.inside], dtype)


def _weigh(x: Any, g: Any, windows: Windows, groups: int) -> Any:
    dtype = np.result_type(x, g)
    x, g = batch_last(x, windows), batch_last(g)
    met = _met(x, windows)
    weight: Any = 0
    for part in _parts(windows, len(x), x.shape[-1]):
        columns = _columns(met, part, groups)
        weight = weight + np.matmul(_rows(g[:, part], groups), columns.swapaxes(1, 2))
    shape = (len(g), len(x) // groups, *windows.window)
    return weight.reshape(shape).astype(dtype, copy=False)


def _rows(g: Any, groups: int) -> Any:
    """A matrix for each group, with a row for each channel."""
    return g.reshape(groups, len(g) // groups, -1)


# The sum of g * conv(x, weight) is linear in x, in weight and in g, and each of these
# functions is its derivative by one of them. So the derivatives of each are the others.
correlated = Primitive(
    _correlate,
    [
        lambda g, y, x, weight, windows, groups: spread(g, weight, windows, groups),
        lambda g, y, x, weight, windows, groups: weighed(x, g, windows, groups),
    ],
    name="conv",
)
spread = Primitive(
    _spread,
    [
        lambda h, x, g, weight, windows, groups: correlated(h, weight, windows, groups),
        lambda h, x, g, weight, windows, groups: weighed(h, g, windows, groups),
    ],
    name="conv_transpose",
)
weighed = Primitive(
    _weigh,
    [
        lambda v, w, x, g, windows, groups: spread(g, v, windows, groups),
        lambda v, w, x, g, windows, groups: correlated(x, v, windows, groups),
    ],
    name="conv_weight",
)
