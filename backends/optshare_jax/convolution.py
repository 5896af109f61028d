"""JAX's convolutions and mean pools; its max pools give the whole gradient to one of a tie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.extend import conv_transpose_windows, conv_windows, pool_windows
from optshare_jax.library import jax, jnp


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
    x, weight = _alike(x, weight)
    return jax.lax.conv_general_dilated(
        x,
        weight,
        windows.stride,
        windows.padding,
        rhs_dilation=windows.dilation,
        feature_group_count=groups,
    )


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
    x, weight = _alike(x, weight)
    return jax.lax.conv_general_dilated(
        x,
        _turned(weight, groups),
        (1,) * len(windows.space),
        windows.around,
        lhs_dilation=windows.stride,
        rhs_dilation=windows.dilation,
        feature_group_count=groups,
    )


def mean_pool(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window; padding counts as zeros."""
    windows = pool_windows("mean_pool", x.shape, window, stride, padding)
    total = jax.lax.reduce_window(
        x,
        np.zeros((), x.dtype),
        jax.lax.add,
        (1, 1, *windows.window),
        (1, 1, *windows.stride),
        ((0, 0), (0, 0), *windows.padding),
    )
    return total / math.prod(windows.window)


def _alike(x: Any, weight: Any) -> tuple[Any, Any]:
    """Both in one dtype, which JAX's convolutions need."""
    dtype = jnp.result_type(x, weight)
    return jnp.asarray(x, dtype), jnp.asarray(weight, dtype)


def _turned(weight: Any, groups: int) -> Any:
    """(in, out / groups, *window) as (out, in / groups, *window), reversed along the window."""
    inner, outer, *window = weight.shape
    split = weight.reshape(groups, inner // groups, outer, *window).swapaxes(1, 2)
    joined = split.reshape(groups * outer, inner // groups, *window)
    return jnp.flip(joined, tuple(range(2, joined.ndim)))
