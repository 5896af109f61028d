"""CuPy, and a stand-in for it that runs where there is no GPU: every test here is run on both."""

import sys

import numpy as np
import pytest

import optshare_functional
import optshare_tape
from optshare.kernels import cuda
from tests.unit.device import stand_in


class Library:
    """A library of arrays: how numbers come to it, and back."""

    def __init__(self, cupy):
        self.cupy = cupy
        self.place = cupy.asarray

    def host(self, array):
        """The numbers of a device array; anything else is a mistake."""
        assert isinstance(array, self.cupy.ndarray), f"{type(array)} is not on the device"
        return array.get()

    def assert_same(self, found, expected):
        """A device array of the shape, dtype and numbers of one of NumPy's."""
        expected = np.asarray(expected)
        array = self.host(found)
        assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
        if expected.dtype.kind not in "fc":
            np.testing.assert_array_equal(array, expected)
        else:
            scale = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected))
            roundings = 1e4 * np.finfo(expected.dtype).eps
            np.testing.assert_allclose(array, expected, rtol=0, atol=roundings * scale)


def _cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"CuPy finds no device: {error}")
    return cupy


@pytest.fixture(params=["stand-in", "CuPy"])
def library(request, monkeypatch):
    """The stand-in, as the module `cupy`; and CuPy itself where there is a device."""
    cuda._compiled.cache_clear()  # what one of them compiled is nothing to the other
    if request.param == "CuPy":
        return Library(_cupy())
    monkeypatch.setitem(sys.modules, "cupy", stand_in.namespace())
    stand_in.uploads.clear()
    return Library(sys.modules["cupy"])


@pytest.fixture(params=[optshare_tape, optshare_functional], ids=["tape", "functional"])
def engine(request):
    """The module of an engine."""
    return request.param
