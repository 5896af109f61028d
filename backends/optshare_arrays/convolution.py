"""Convolutions, by one product of matrices for each row of the answer.

What is given back is a view of memory with the batch last, and the functions that follow keep
its order, so nothing is transposed between layers.
"""

from __future__ import annotations

import math
from typing import Any

from optshare.extend import Windows, conv_transpose_windows, conv_windows
from optshare_arrays.columns import (
    batch_first,
    batch_last,
    by_rows,
    columns_of,
    divided,
    grouped,
    met_by,
    spread_rows,
)
from optshare_arrays.primitives import Primitive
from optshare_arrays.untyped import np


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


def _correlate(x: Any, weight: Any, windows: Windows, groups: int) -> Any:
    dtype = np.result_type(x, weight)
    x = batch_last(x, windows)
    rows, others = divided(windows, x.shape[-1])
    columns, matrices = columns_of(x, rows, others, groups), by_rows(weight, rows, groups)
    matrices = matrices.reshape(groups, len(weight) // groups, math.prod(matrices.shape[2:]))
    shape = (len(weight), *windows.counts, x.shape[-1])
    y = np.empty_like(x, np.result_type(x, matrices), shape=shape)
    answers = grouped(y, rows, groups)
    for place, met in enumerate(met_by(columns, rows)):
        np.matmul(matrices, met, out=answers[:, :, place])
    return batch_first(y, dtype)


def _weigh(x: Any, g: Any, windows: Windows, groups: int) -> Any:
    dtype, inner = np.result_type(x, g), x.shape[1] // groups
    x, g = batch_last(x, windows), batch_last(g)
    rows, others = divided(windows, g.shape[-1])
    columns, g = columns_of(x, rows, others, groups), grouped(g, rows, groups)
    total: Any = None
    for place, met in enumerate(met_by(columns, rows)):
        product = np.matmul(g[:, :, place], met.swapaxes(1, 2))
        total = product if total is None else np.add(total, product, out=total)
    out = groups * g.shape[1]
    weight = total.reshape(out, *rows.window, inner, math.prod(others.window)).swapaxes(1, 2)
    return weight.reshape(out, inner, *windows.window).astype(dtype, copy=False)


def _spread(g: Any, weight: Any, windows: Windows, groups: int) -> Any:
    dtype = np.result_type(g, weight)
    g = batch_last(g)
    batch, inner = g.shape[-1], weight.shape[1]
    rows, others = divided(windows, batch)
    columns = spread_rows(grouped(g, rows, groups), by_rows(weight, rows, groups), rows)
    columns = columns.reshape(
        groups, *rows.padded, inner, math.prod(others.window), *others.counts, batch
    )
    shape = (groups, inner, *rows.padded, *others.padded, batch)
    x = np.zeros_like(columns, shape=shape)
    for place, each in enumerate(others.slices()):
        met = x[:, :, :, *each]
        met += columns[:, :, :, place].swapaxes(1, 2)
    x = x.reshape(groups * inner, *windows.padded, batch)
    return batch_first(x[:, *windows.inside], dtype)


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
