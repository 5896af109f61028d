"""PyTorch's functions under the Array API standard's names."""

from __future__ import annotations

from functools import partial
from typing import Any

import array_api_compat.torch as _torch_namespace
import torch

from optshare.extend import Namespace, ParameterError, complete
from optshare_torch import convolution, recurrent

xp: Any = _torch_namespace  # its functions are not annotated


class Functions:
    """The standard's functions, from array-api-compat, with those that differ."""

    def __getattr__(self, name: str) -> Any:
        return getattr(xp, name)

    @staticmethod
    def asarray(x: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """A tensor; not one without numbers."""
        if device is not None and torch.device(device).type == "meta":
            raise ParameterError("a tensor on the meta device has no numbers to train")
        return xp.asarray(x, dtype=dtype, device=device)

    @staticmethod
    def clip(x: Any, min: Any = None, max: Any = None) -> Any:
        """x between two bounds; at a bound the gradient is shared, where PyTorch gives it all."""
        above = (
            x
            if min is None
            else torch.maximum(x, torch.as_tensor(min, dtype=x.dtype, device=x.device))
        )
        return (
            above
            if max is None
            else torch.minimum(above, torch.as_tensor(max, dtype=x.dtype, device=x.device))
        )

    @staticmethod
    def imag(x: Any) -> Any:
        """The imaginary part; 0 for real tensors, which PyTorch refuses."""
        return torch.imag(x) if x.is_complex() else torch.zeros_like(x)

    @staticmethod
    def stop_gradient(x: Any) -> Any:
        """The tensor without its record."""
        return x.detach() if isinstance(x, torch.Tensor) else x

    @staticmethod
    def logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
        """log(sum(exp(x))) over axes."""
        axes = tuple(range(x.ndim)) if axis is None else axis
        return torch.logsumexp(x, axes, keepdims)


_composed: Namespace = complete(Functions())


class Neural:
    """The neural functions that PyTorch has with the same meaning."""

    gru = staticmethod(partial(recurrent.gru, _composed.nn.gru))
    lstm = staticmethod(partial(recurrent.lstm, _composed.nn.lstm))
    relu = staticmethod(torch.relu)
    conv = staticmethod(convolution.conv)
    conv_transpose = staticmethod(convolution.conv_transpose)
    mean_pool = staticmethod(convolution.mean_pool)
    sigmoid = staticmethod(torch.sigmoid)

    @staticmethod
    def log_softmax(x: Any, *, axis: int = -1) -> Any:
        """x - logsumexp(x) along an axis."""
        return torch.log_softmax(x, axis)

    @staticmethod
    def softmax(x: Any, *, axis: int = -1) -> Any:
        """exp(x) / sum(exp(x)) along an axis."""
        return torch.softmax(x, axis)


ops: Namespace = complete(Functions(), nn=Neural())
