"""How JAX's arrays on a CUDA device reach CuPy; what a device does stands in tests/unit/cuda."""

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optshare_jax import device
from optshare_jax.backend import backend
from tests.unit.device import stand_in


class Device(NamedTuple):
    number: int
    platform: str


class CudaArray:
    """What is asked of an array on a CUDA device; there is none to make one on."""

    def __init__(self, dtype="float32", platforms=("gpu",), kind=device.DLPACK_CUDA):
        self.dtype = jnp.dtype(dtype)
        self._platforms, self._kind = platforms, kind

    def devices(self):
        return frozenset(Device(i, each) for i, each in enumerate(self._platforms))

    def __dlpack_device__(self):
        return self._kind, 1


class Cupy(ModuleType):
    """What is asked of CuPy, taken down."""

    def __init__(self):
        super().__init__("cupy")
        self.log = []
        synchronize = lambda: self.log.append("wait")  # noqa: E731 # a field of a namespace
        stream = SimpleNamespace(synchronize=synchronize)
        self.cuda = SimpleNamespace(Device=self.device, get_current_stream=lambda: stream)
        self.ndarray = stand_in.ndarray

    @contextmanager
    def device(self, number):
        self.log.append(f"enter {number}")
        yield
        self.log.append("leave")

    def from_dlpack(self, array):
        return "seen", array


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", Cupy())
    return sys.modules["cupy"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_an_array_on_a_cuda_device_goes_to_cupy(dtype, cupy):
    array = CudaArray(dtype)
    assert device.view(array) == ("seen", array)


@pytest.mark.parametrize(
    "unfit",
    [
        {"dtype": "int32"},
        {"dtype": "complex64"},
        {"platforms": ("tpu",)},
        {"platforms": ("gpu", "gpu")},
        {"kind": 3},
    ],
    ids=str,
)
def test_another_array_has_no_view(unfit, cupy):
    assert device.view(CudaArray(**unfit)) is None


def test_without_cupy_an_array_has_no_view(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert device.view(CudaArray()) is None


@pytest.mark.parametrize("array", [jnp.ones(2), np.ones(2)], ids=["JAX", "NumPy"])
def test_an_array_of_the_host_has_no_view(array):
    assert backend.device_view(array) is None


def test_the_host_waits_for_cupy_before_a_view_can_be_let_go_of(cupy):
    with backend.device_stream(CudaArray()):
        cupy.log.append("work")
    assert cupy.log == ["enter 1", "work", "wait", "leave"]


def test_the_host_waits_for_cupy_when_something_failed(cupy):
    with pytest.raises(ValueError, match="half way"), backend.device_stream(CudaArray()):
        raise ValueError("half way")
    assert cupy.log[1] == "wait"


class Exported(stand_in.ndarray):
    """An array of the stand-in's that DLPack hands on, as CuPy's does."""

    def __dlpack__(self, **options):
        return self._host.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._host.__dlpack_device__()


def test_an_array_of_cupys_is_adopted_by_dlpack():
    adopted = backend.adopt(Exported(np.arange(6.0).reshape(2, 3)))
    assert isinstance(adopted, jax.Array)
    np.testing.assert_array_equal(adopted, np.arange(6.0).reshape(2, 3))
