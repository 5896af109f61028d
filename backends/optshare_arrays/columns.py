"""The columns of a convolution: what its windows meet, row by row.

The batch is the last axis here, (channels, *space, batch): then all copies run over long rows.
What the windows meet is copied along all axes but the first, once for each row of x: the
windows of a row of the answer meet some rows of x, which lie in memory one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from optshare.extend import Windows
from optshare_arrays.devices import contiguous
from optshare_arrays.untyped import np

LONG = 512
"""How many numbers a row of the answer needs, over the batch, to be worth a product of its own."""

ALONE = Windows((1,), (1,), (1,), ((0, 0),), (1,), (1,))
"""One row, for answers whose own rows are short."""


def batch_last(x: Any, windows: Windows | None = None, value: float = 0.0) -> Any:
    """(channels, *space, batch), contiguous; with the padding of windows, if there is any."""
    x = x.transpose(*range(1, x.ndim), 0)
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    if windows is None or windows.padded == windows.space:
        return contiguous(x)
    padded = np.full_like(x, value, shape=(len(x), *windows.padded, x.shape[-1]), order="C")
    padded[:, *windows.inside] = x
    return padded


def batch_first(x: Any, dtype: Any) -> Any:
    """(batch, channels, *space), a view of the same memory."""
    return x.astype(dtype, copy=False).transpose(-1, *range(x.ndim - 1))


def divided(windows: Windows, batch: int) -> tuple[Windows, Windows]:
    """The axis of the rows, and the others."""
    others = windows.along(slice(1, None))
    if math.prod(others.counts) * batch < LONG:
        return ALONE, windows
    return windows.along(slice(1)), others


def columns_of(x: Any, rows: Windows, others: Windows, groups: int) -> Any:
    """What the windows meet of each row of x.

    The shape is (groups, rows, channels / groups * window, counts * batch), where window and
    counts are those of the other axes.
    """
    x = x.reshape(groups, len(x) // groups, *rows.padded, *others.padded, x.shape[-1])
    axes = tuple(range(3, x.ndim - 1))
    met = np.lib.stride_tricks.sliding_window_view(x, others.reach, axes)
    pairs = zip(others.counts, others.stride, strict=True)
    places = (slice(0, (count - 1) * step + 1, step) for count, step in pairs)
    elements = (slice(None, None, hole) for hole in others.dilation)
    met = met[:, :, :, *places, :, *elements]
    met = met.transpose(0, 2, 1, *range(x.ndim, met.ndim), *range(3, x.ndim))
    inner = met.shape[2] * math.prod(others.window)
    return met.reshape(groups, *rows.padded, inner, math.prod(others.counts) * x.shape[-1])


def met_by(columns: Any, rows: Windows) -> Iterator[Any]:
    """For each place along the rows, the columns of those that its windows meet."""
    (step,), (hole,), (reach,), (size,) = rows.stride, rows.dilation, rows.reach, rows.window
    groups, _, inner, length = columns.shape
    for start in range(0, step * rows.counts[0], step):
        some = columns[:, start : start + reach : hole]
        yield some.reshape(groups, size * inner, length)


def by_rows(weight: Any, rows: Windows, groups: int) -> Any:
    """(groups, out / groups, rows of the window, in / groups, its other elements)."""
    if weight.dtype == np.float16:
        weight = weight.astype(np.float32)
    out, inner, *window = weight.shape
    shape = (groups, out // groups, inner, *rows.window, math.prod(window) // rows.window[0])
    return weight.reshape(shape).swapaxes(2, 3)


def grouped(g: Any, rows: Windows, groups: int) -> Any:
    """(groups, channels / groups, rows, counts * batch), a view."""
    return g.reshape(
        groups, len(g) // groups, *rows.counts, math.prod(g.shape[1:]) // rows.counts[0]
    )


def spread_rows(g: Any, matrices: Any, rows: Windows) -> Any:
    """The transpose of the products with `met_by`: columns as those of `columns_of`."""
    groups, out, size, *inner = matrices.shape
    length, window = g.shape[-1], math.prod(inner)
    g = contiguous(g.swapaxes(1, 2))
    matrices = matrices[:, :, ::-1].reshape(groups, out, size, window).transpose(0, 3, 2, 1)
    matrices = contiguous(matrices)
    dtype, shape = np.result_type(g, matrices), (groups, *rows.padded, window, length)
    columns = np.empty_like(g, dtype, shape=shape)
    for row, meeting in enumerate(_meetings(rows)):
        if meeting is None:
            columns[:, row] = 0
            continue
        elements, places = meeting
        left, right = matrices[:, :, elements], g[:, places]
        count = left.shape[2] * out
        left, right = left.reshape(groups, window, count), right.reshape(groups, count, length)
        np.matmul(left, right, out=columns[:, row])
    return columns


def _meetings(rows: Windows) -> Iterator[tuple[slice, slice] | None]:
    """For each row of x: which elements of the window, from its end, meet it at which places."""
    (size,), (step,), (hole,), (count,) = rows.window, rows.stride, rows.dilation, rows.counts
    for row in range(*rows.padded):
        ahead = [(i, row - (size - 1 - i) * hole) for i in range(size)]
        pairs = [(i, n // step) for i, n in ahead if n % step == 0 and 0 <= n < count * step]
        yield (_evenly([i for i, _ in pairs]), _evenly([n for _, n in pairs])) if pairs else None


def _evenly(numbers: Sequence[int]) -> slice:
    """The slice of numbers that are evenly apart."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    return slice(numbers[0], numbers[-1] + 1, step)
