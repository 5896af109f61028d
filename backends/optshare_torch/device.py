"""CUDA tensors as CuPy sees them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

from optshare.extend import installed

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
"""What keeps no promise about its memory, as a subclass might."""


def view(array: Any) -> Any:
    """The memory of a plain CUDA tensor as an array of CuPy's, if CuPy is installed.

    It goes by DLPack: CuPy tells PyTorch its current stream, and PyTorch lets that one wait for
    its own. CuPy has no bfloat16 without `ml_dtypes`.
    """
    fits = (
        type(array) in PLAIN
        and array.device.type == "cuda"
        and torch.version.hip is None
        and array.layout == torch.strided
        and array.dtype in DTYPES
        and not array.is_neg()
    )
    cupy = installed("cupy") if fits else None
    if cupy is None or (array.dtype == torch.bfloat16 and installed("ml_dtypes") is None):
        return None
    return cupy.from_dlpack(array.detach())


@contextmanager
def stream(array: Any) -> Generator[None]:
    """A `with` in which CuPy's current stream is PyTorch's on a tensor's device.

    In one stream everything is done in the order in which it was given, so that nobody waits;
    and a block of PyTorch's memory that is freed is given again to the stream it came from.
    """
    cupy = installed("cupy")
    current = torch.cuda.current_stream(array.device)
    with cupy.cuda.Device(array.device.index), cupy.cuda.Stream.from_external(current):
        yield
