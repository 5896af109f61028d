"""PyTorch's convolutions and mean pools; its max pools give the whole gradient to one of a tie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from optshare.extend import Windows, conv_transpose_windows, conv_windows, is_even, pool_windows


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
    x, weight = _alike(x, weight)
    windows = conv_windows(_sizes(x), _sizes(weight), stride, padding, dilation, groups)
    x, before = _padded(x, windows)
    apply = _by_axes("conv{}d", windows)
    return apply(x, weight, None, windows.stride, before, windows.dilation, groups)


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
    x, weight = _alike(x, weight)
    windows = conv_transpose_windows(
        _sizes(x), _sizes(weight), stride, padding, output_padding, dilation, groups
    )
    apply = _by_axes("conv_transpose{}d", windows)
    whole = apply(x, weight, None, windows.stride, 0, 0, groups, windows.dilation)
    ends = [
        (-before, before + size - whole.shape[axis])
        for axis, (size, (before, _)) in enumerate(
            zip(windows.space, windows.padding, strict=True), start=2
        )
    ]
    return functional.pad(whole, _from_the_last(ends))


def mean_pool(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window; padding counts as zeros."""
    windows = pool_windows("mean_pool", _sizes(x), window, stride, padding)
    x, before = _padded(torch.as_tensor(x), windows)
    return _by_axes("avg_pool{}d", windows)(x, windows.window, windows.stride, before)


def _sizes(x: Any) -> tuple[int, ...]:
    return tuple(x.shape)


def _alike(x: Any, weight: Any) -> tuple[Any, Any]:
    """Both as tensors of one dtype, which PyTorch's convolutions need."""
    x, weight = torch.as_tensor(x), torch.as_tensor(weight)
    if x.dtype == weight.dtype:
        return x, weight
    dtype = torch.promote_types(x.dtype, weight.dtype)
    return x.to(dtype), weight.to(dtype)


def _by_axes(name: str, windows: Windows) -> Callable[..., Any]:
    return getattr(functional, name.format(len(windows.space)))


def _padded(x: Any, windows: Windows) -> tuple[Any, tuple[int, ...]]:
    """x, and the padding that is left for PyTorch to add; it adds as much before as after."""
    if is_even(windows.padding):
        return x, tuple(before for before, _ in windows.padding)
    return functional.pad(x, _from_the_last(windows.padding)), (0,) * len(windows.space)


def _from_the_last(pairs: Any) -> list[int]:
    """Pairs as `torch.nn.functional.pad` takes them: those of the last axis first."""
    return [size for pair in reversed(pairs) for size in pair]
