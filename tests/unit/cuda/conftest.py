"""CuPy with a device; without one, every test here is skipped."""

import pytest

import optshare


@pytest.fixture(scope="session")
def cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"CuPy finds no device: {error}")
    return cupy


@pytest.fixture(scope="session")
def torch(cupy):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch finds no CUDA device")
    return torch


@pytest.fixture(scope="session")
def jax(cupy):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    if jax.default_backend() != "gpu":
        pytest.skip("this JAX finds no CUDA device")
    return jax


@pytest.fixture(autouse=True)
def _engine():
    with optshare.use("tape"):
        yield
