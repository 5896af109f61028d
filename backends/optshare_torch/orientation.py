"""Which axes of PyTorch's own weights are inputs, and which outputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from optshare.extend import NO_MATRIX, Fans, first_in, first_out

_convolutions: Any = nn.modules.conv
_normalisations: Any = nn.modules.batchnorm
NONE = (
    nn.Embedding,
    nn.EmbeddingBag,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    _normalisations._NormBase,
)
"""Modules whose weights map nothing linearly."""
SEVERAL_AXES = (_convolutions._ConvNd, nn.Bilinear)


def fans_of(model: Any) -> dict[str, Fans]:
    """The axes of the weights of a module, by path, or of a lone parameter.

    Matrices are (out, in) throughout PyTorch, also those of modules that it does not know.
    """
    if isinstance(model, torch.nn.Parameter):
        fans = _fans(None, model.ndim)
        return {} if fans is None else {"": fans}
    found = {
        f"{path}.{name}" if path else name: _fans(owner, parameter.ndim)
        for path, owner in model.named_modules(remove_duplicate=False)
        for name, parameter in owner.named_parameters(recurse=False)
    }
    return {path: fans for path, fans in found.items() if fans is not None}


def _fans(owner: Any, ndim: int) -> Fans | None:
    if isinstance(owner, NONE):
        return NO_MATRIX
    if ndim < 2 or (ndim > 2 and not isinstance(owner, SEVERAL_AXES)):
        return None
    transposed = isinstance(owner, _convolutions._ConvTransposeNd)
    return first_in(ndim) if transposed else first_out(ndim)
