"""How CUDA tensors reach CuPy; what a device does with them stands in tests/unit/cuda."""

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from optshare_torch import device
from optshare_torch.backend import backend


class CudaTensor:
    """What is asked of a CUDA tensor; there is no device to make one on."""

    def __init__(self, kind="cuda", layout=torch.strided, dtype=torch.float32, negative=False):
        self.device, self.layout, self.dtype = torch.device(kind, 1), layout, dtype
        self.is_neg = lambda: negative

    def detach(self):
        return "detached", self


class Cupy(ModuleType):
    """What is asked of CuPy, taken down."""

    def __init__(self):
        super().__init__("cupy")
        self.entered = []
        stream = SimpleNamespace(from_external=lambda s: self.within("stream", s))
        self.cuda = SimpleNamespace(Device=lambda i: self.within("device", i), Stream=stream)

    @contextmanager
    def within(self, kind, which):
        self.entered.append((kind, which))
        yield
        self.entered.pop()

    def from_dlpack(self, array):
        return "seen", array


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setattr(device, "PLAIN", (CudaTensor,))
    monkeypatch.setitem(sys.modules, "cupy", Cupy())
    return sys.modules["cupy"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_cuda_tensor_goes_to_cupy_without_its_record(dtype, cupy):
    tensor = CudaTensor(dtype=dtype)
    assert backend.device_view(tensor) == ("seen", ("detached", tensor))


@pytest.mark.parametrize(
    "unfit",
    [
        {"kind": "cpu"},
        {"layout": torch.sparse_coo},
        {"dtype": torch.int32},
        {"dtype": torch.complex64},
        {"negative": True},
    ],
    ids=str,
)
def test_another_tensor_has_no_view(unfit, cupy):
    assert backend.device_view(CudaTensor(**unfit)) is None


def test_a_subclass_has_no_view_for_it_keeps_its_numbers_as_it_likes(cupy):
    class Own(CudaTensor):
        pass

    assert backend.device_view(Own()) is None


@pytest.mark.parametrize("array", [torch.ones(2), torch.nn.Parameter(torch.ones(2)), np.ones(2)])
def test_an_array_of_the_host_has_no_view(array):
    assert backend.device_view(array) is None


def test_without_cupy_a_cuda_tensor_has_no_view(cupy, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert backend.device_view(CudaTensor()) is None


def test_without_ml_dtypes_cupy_has_no_bfloat16(cupy, monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert backend.device_view(CudaTensor(dtype=torch.bfloat16)) is None
    assert backend.device_view(CudaTensor()) is not None


def test_cupy_works_on_the_device_and_the_stream_of_pytorch(cupy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    with backend.device_stream(CudaTensor()):
        assert cupy.entered == [("device", 1), ("stream", "stream of cuda:1")]
    assert cupy.entered == []
