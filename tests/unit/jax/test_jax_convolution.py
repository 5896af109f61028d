"""Convolutions and pools on JAX arrays; the values of more cases are compared with the tape's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare_functional
from optshare import ops
from optshare.errors import DataError
from optshare_arrays import ops as arrays


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


CASES = {
    "conv": lambda ops, x, w: ops.nn.conv(x, w, stride=2, padding=1),
    "conv_transpose": lambda ops, x, w: ops.nn.conv_transpose(x, w, stride=2, output_padding=1),
    "max_pool": lambda ops, x, w: ops.nn.max_pool(x * x, 2) * w[0, 0, 0],
    "mean_pool": lambda ops, x, w: ops.nn.mean_pool(x * x, 3, stride=1) * w[0, 0, 0],
}


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_a_gradient_is_that_of_the_arrays(name):
    f, given = CASES[name], drawn((2, 2, 5), (2, 2, 3))

    def mine(x, w):
        g, h = optshare_functional.gradient(lambda *z: arrays.sum(f(arrays, *z) ** 2), x, w)
        return arrays.sum(g**2) + arrays.sum(h**2)

    def theirs(x, w):
        g, h = jax.grad(lambda *z: (f(ops, *z) ** 2).sum(), (0, 1))(x, w)
        return (g**2).sum() + (h**2).sum()

    wanted = optshare_functional.gradient(mine, *given)
    found = jax.jit(jax.grad(theirs, (0, 1)))(*map(jnp.asarray, given))
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-10)


def test_elements_that_tie_for_a_maximum_share_its_gradient():
    g = jax.grad(lambda x: ops.nn.max_pool(x, 2).sum())(jnp.ones((1, 1, 4)))
    assert g.tolist() == [[[0.5, 0.5, 0.5, 0.5]]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_is_kept(dtype):
    x, w = jnp.ones((1, 2, 4), dtype), jnp.ones((2, 2, 2), dtype)
    for each in (ops.nn.conv(x, w), ops.nn.conv_transpose(x, w), ops.nn.mean_pool(x, 2)):
        assert each.dtype == dtype


def test_dtypes_promote_and_an_array_of_numpy_is_taken():
    x, w = drawn((2, 3, 5), (4, 3, 2))
    found = ops.nn.conv(x.astype(np.float32), jnp.asarray(w))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, arrays.nn.conv(x.astype(np.float32), w), rtol=1e-12)


def test_a_batch_may_be_empty():
    x, w = (jnp.zeros(shape) for shape in ((0, 2, 5), (3, 2, 2)))
    assert ops.nn.conv(x, w).shape == (0, 3, 4)
    assert jax.grad(lambda w: ops.nn.conv(x, w).sum())(w).tolist() == w.tolist()


def test_what_does_not_fit_is_refused_in_the_same_words_while_it_is_traced():
    with pytest.raises(DataError, match="conv: x has 3 channels, but weight takes 2"):
        jax.jit(ops.nn.conv)(jnp.ones((2, 3, 5)), jnp.ones((4, 2, 3)))
