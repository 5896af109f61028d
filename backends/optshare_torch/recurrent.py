"""PyTorch's own recurrent kernels, where they can be differentiated twice; else the fallbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from optshare.extend import require_recurrent

Function = Callable[..., Any]

_lstm: Any = torch.lstm  # half annotated
_gru: Any = torch.gru


def lstm(
    fallback: Function,
    x: Any,
    h: Any,
    c: Any,
    input_weight: Any,
    hidden_weight: Any,
    bias: Any,
) -> tuple[Any, Any, Any]:
    """A long short-term memory of one layer."""
    if not _has_kernel(x, h, c, input_weight, hidden_weight, bias):
        return fallback(x, h, c, input_weight, hidden_weight, bias)
    require_recurrent(
        "lstm", 4, x, h, c=c, input_weight=input_weight, hidden_weight=hidden_weight, bias=bias
    )
    weights = [input_weight.mT, hidden_weight.mT, bias, torch.zeros_like(bias)]
    hs, h, c = _lstm(x, (h[None], c[None]), weights, **_ONE_LAYER)
    return hs, h[0], c[0]


def gru(
    fallback: Function,
    x: Any,
    h: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any,
    hidden_bias: Any,
) -> tuple[Any, Any]:
    """A gated recurrent unit of one layer."""
    args = x, h, input_weight, hidden_weight, input_bias, hidden_bias
    if not _has_kernel(*args):
        return fallback(*args)
    names = "input_weight", "hidden_weight", "input_bias", "hidden_bias"
    require_recurrent("gru", 3, x, h, **dict(zip(names, args[2:], strict=True)))
    weights = [input_weight.mT, hidden_weight.mT, input_bias, hidden_bias]
    hs, h = _gru(x, h[None], weights, **_ONE_LAYER)
    return hs, h[0]


_ONE_LAYER = {
    "has_biases": True,
    "num_layers": 1,
    "dropout": 0.0,
    "train": False,
    "bidirectional": False,
    "batch_first": True,
}


def _has_kernel(*args: Any) -> bool:
    """Whether PyTorch's kernel takes these, and is differentiable twice: cuDNN's is not."""
    return all(
        isinstance(each, torch.Tensor)
        and each.device.type == "cpu"
        and each.dtype == args[0].dtype
        and each.dtype in (torch.float32, torch.float64)
        for each in args
    )
