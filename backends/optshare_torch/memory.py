"""The memory of tensors on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import torch

from optshare.extend import Addressing

KINDS = {torch.Tensor, torch.nn.Parameter}
"""What has its numbers in memory of its own; a subclass may do as it likes."""

_dtype, _shape, _is_cpu = attrgetter("dtype"), attrgetter("shape"), attrgetter("is_cpu")


def addressing(arrays: Sequence[Any]) -> Addressing:
    """How to find the memory of tensors that are like some tensors with a `host_view`."""
    dtypes, shapes = list(map(_dtype, arrays)), list(map(_shape, arrays))
    strides = list(map(torch.Tensor.stride, arrays))
    dense = all(map(torch.Tensor.is_contiguous, arrays))

    def full(others: Sequence[Any]) -> list[int] | None:
        alike = (
            KINDS.issuperset(map(type, others))
            and list(map(_dtype, others)) == dtypes
            and list(map(_shape, others)) == shapes
            and all(map(_is_cpu, others))
            and not any(map(torch.Tensor.is_neg, others))
            and all(each.layout == torch.strided for each in others)
        )
        if not alike:
            return None
        if dense:
            fits = all(map(torch.Tensor.is_contiguous, others))
        else:
            fits = list(map(torch.Tensor.stride, others)) == strides
        return again(others) if fits else None

    return Addressing(full, again)


def again(tensors: Sequence[Any]) -> list[int]:
    """The address of each tensor."""
    return list(map(torch.Tensor.data_ptr, tensors))
