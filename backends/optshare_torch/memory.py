"""The memory of tensors on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import torch

from optshare.extend import Addressing

Integers = np.ndarray[Any, np.dtype[np.int64]]
KINDS = {torch.Tensor, torch.nn.Parameter}
"""What has its numbers in memory of its own; a subclass may do as it likes."""

_shape, _kind = attrgetter("shape"), attrgetter("dtype", "layout", "is_cpu")


def addressing(arrays: Sequence[Any]) -> Addressing:
    """How to find the memory of tensors like some of one dtype, each with a `host_view`."""
    kinds, shapes = set(map(_kind, arrays)), list(map(_shape, arrays))
    strides = list(map(torch.Tensor.stride, arrays))
    dense = all(map(torch.Tensor.is_contiguous, arrays))

    def full(others: Sequence[Any]) -> Integers | None:
        alike = (
            KINDS.issuperset(map(type, others))
            and set(map(_kind, others)) == kinds
            and list(map(_shape, others)) == shapes
            and not any(map(torch.Tensor.is_neg, others))
        )
        return again(others) if alike else None

    def again(others: Sequence[Any]) -> Integers | None:
        if dense:  # a tensor may have been given its own transpose
            fits = all(map(torch.Tensor.is_contiguous, others))
        else:
            fits = list(map(torch.Tensor.stride, others)) == strides
        return _addresses(others) if fits else None

    return Addressing(full, again)


def _addresses(tensors: Sequence[Any]) -> Integers:
    """The address of each tensor."""
    return np.fromiter(map(torch.Tensor.data_ptr, tensors), np.int64, len(tensors))
