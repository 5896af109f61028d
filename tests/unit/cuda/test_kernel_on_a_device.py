"""The CUDA kernel on a device: the bits of the NumPy kernel, on any stream."""

import numpy as np
import pytest

from optshare.kernels.cuda import CudaKernel
from optshare.kernels.program import DESCENT
from tests.unit.kernels import test_cuda
from tests.unit.kernels.test_cuda import (
    EXACT,
    HALVES,
    OF_HALVES,
    PLACES,
    RULES,
    SAME,
    SETS,
    SIZES,
    Case,
    assert_same_bits,
    assert_same_state,
    run,
)


@pytest.fixture
def case(cupy):
    """A class of cases whose arrays are copied to the device, and back."""

    class OnDevice(Case):
        def addresses(self):
            self.there = [cupy.asarray(each.view(np.uint8)) for each in self.arrays()]
            if self.moved is self.value:
                self.there[1] = self.there[0]
            return [each.data.ptr for each in self.there]

        def arrays(self):
            return [self.value, self.moved, self.gradient, *self.state.values()]

        def fetch(self):
            for here, there in zip(self.arrays(), self.there, strict=True):
                here[:] = there.get().view(here.dtype)

    return OnDevice


def compared(case, name, types):
    cases = [
        case(RULES[name], types, size, seed, place)
        for seed, (size, place) in enumerate(zip(SIZES, PLACES, strict=True))
    ]
    expected = run(RULES[name], types, cases, SETS)
    for each, (value, state) in zip(cases, expected, strict=True):
        each.fetch()
        assert_same_bits(each.moved, value)
        assert_same_state(each.state, state)


@pytest.mark.parametrize("types", SAME, ids=lambda types: types.working)
@pytest.mark.parametrize("name", EXACT)
def test_every_rule_is_the_numpy_kernel_to_the_bit(name, types, case):
    compared(case, name, types)


@pytest.mark.parametrize("types", HALVES, ids=lambda types: types.value)
@pytest.mark.parametrize("name", OF_HALVES)
def test_half_precision_is_rounded_once_as_by_numpy(name, types, case):
    compared(case, name, types)


def test_ten_million_elements_are_updated_to_the_last_one(cupy):
    size = 10_000_001
    value, gradient = cupy.zeros(size, np.float32), cupy.arange(size, dtype=np.float32)
    pointers = np.array([[value.data.ptr, value.data.ptr, gradient.data.ptr]])
    rows = test_cuda.pieces([size], [0], 4096)
    CudaKernel(DESCENT, SAME[0])(pointers, rows, np.array([[-1.0]], np.float32))
    np.testing.assert_array_equal(value.get(), np.arange(size, dtype=np.float32))


def test_a_launch_follows_the_stream_that_is_current(cupy):
    kernel, constants = CudaKernel(DESCENT, SAME[0]), np.array([[-1.0]], np.float32)
    value, gradient = cupy.zeros(1000, np.float32), cupy.zeros(1000, np.float32)
    pointers = np.array([[value.data.ptr, value.data.ptr, gradient.data.ptr]])
    rows = test_cuda.pieces([1000], [0], 4096)
    cupy.cuda.get_current_stream().synchronize()
    for stream in (cupy.cuda.Stream(non_blocking=True) for _ in range(2)):
        with stream:
            gradient += 1
            kernel(pointers, rows, constants)
        stream.synchronize()
    assert value.get().tolist() == [3.0] * 1000  # 1 and 2
