"""CUDA tensors and JAX's arrays as CuPy's: the same memory, in the right order."""

import numpy as np
import pytest

HALVES_AND_FLOATS = ("float16", "bfloat16", "float32", "float64")


@pytest.fixture
def jax_backend(jax):
    from optshare_jax.backend import backend

    return backend


@pytest.fixture
def torch_backend(torch):
    from optshare_torch.backend import backend

    return backend


@pytest.mark.parametrize("dtype", HALVES_AND_FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 4)])
def test_a_tensor_and_its_view_share_memory(dtype, shape, torch, torch_backend):
    tensor = torch.ones(shape, dtype=getattr(torch, dtype), device="cuda", requires_grad=True)
    view = torch_backend.device_view(tensor)
    assert view.shape == shape
    assert view.dtype.name == dtype
    assert view.data.ptr == tensor.data_ptr()


def test_strides_are_seen(torch, torch_backend):
    tensor = torch.arange(12.0, device="cuda").reshape(3, 4).T[::2]
    view = torch_backend.device_view(tensor)
    assert view.strides == tuple(4 * step for step in tensor.stride())
    np.testing.assert_array_equal(view.get(), tensor.cpu().numpy())


@pytest.mark.parametrize("own", [False, True])
def test_cupy_and_pytorch_take_turns_in_the_order_of_the_program(own, torch, torch_backend):
    stream = torch.cuda.Stream() if own else torch.cuda.default_stream()
    with torch.cuda.stream(stream):
        tensor = torch.zeros(1 << 22, device="cuda")
        for _ in range(20):
            tensor += 1
            with torch_backend.device_stream(tensor):
                view = torch_backend.device_view(tensor)
                view *= 2
        found = tensor.cpu().numpy()
    np.testing.assert_array_equal(found, np.full(1 << 22, np.float32(2.0**21 - 2)))


@pytest.mark.parametrize("dtype", HALVES_AND_FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 4)])
def test_a_jax_array_and_its_view_share_memory(dtype, shape, jax, jax_backend):
    with jax.enable_x64(True):
        array = jax.numpy.ones(shape, dtype)
        with jax_backend.device_stream(array):
            view = jax_backend.device_view(array)
            assert view.dtype.name == dtype
            if array.size:
                assert view.data.ptr == array.unsafe_buffer_pointer()


@pytest.mark.parametrize("dtype", HALVES_AND_FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 4)])
def test_jax_adopts_the_memory_of_an_array_of_cupys(dtype, shape, jax, jax_backend, cupy):
    with jax.enable_x64(True):
        like = jax.numpy.ones(shape, dtype)
        with jax_backend.device_stream(like):
            made = cupy.full_like(jax_backend.device_view(like), 3)
            adopted = jax_backend.adopt(made)
        assert (adopted.shape, adopted.dtype) == (shape, like.dtype)
        if like.size:
            assert adopted.unsafe_buffer_pointer() == made.data.ptr
        assert (np.asarray(adopted, float) == 3).all()


def test_cupy_and_jax_take_turns_in_the_order_of_the_program(jax, jax_backend):
    array = jax.numpy.zeros(1 << 22, "float32")
    for _ in range(20):
        array = array + 1
        with jax_backend.device_stream(array):
            doubled = jax_backend.device_view(array) * 2
            array = jax_backend.adopt(doubled)
    np.testing.assert_array_equal(array, np.full(1 << 22, np.float32(2.0**21 - 2)))
