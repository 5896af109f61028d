"""Einstein's summation: what raises, dtypes, higher orders; its numbers are in tests/unit/cases."""

import numpy as np
import pytest

from optshare_arrays import ops

X, Y = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)

WRONG = {
    "ij->ij": ((X, Y), "describes 1 arrays, 2 were given"),
    "ijk,kl->l": ((X, Y), "'ijk' names 3 axes of an array of 2"),
    "i,jk->k": ((X, Y), "'i' names 1 axes of an array of 2"),
    "...i->i": ((X,), r"leaves ... out of the result; write ->...i"),
    "ij->jj": ((X,), "must be different ones before it"),
    "ij->ik": ((X,), "must be different ones before it"),
    "ii->i": ((X,), "'i' names axes of 2 and 3"),
    "i1->i": ((X,), "something else than letters"),
}


@pytest.mark.parametrize("subscripts", WRONG)
def test_subscripts_that_do_not_fit_raise_and_are_shown(subscripts, engine):
    arrays, message = WRONG[subscripts]
    with pytest.raises(ValueError, match=message):
        ops.einsum(subscripts, *arrays)
    with pytest.raises(ValueError, match=message):
        engine.gradient(lambda *xs: ops.sum(ops.einsum(subscripts, *xs)), *arrays)
    with pytest.raises(ValueError):  # noqa: PT011 # NumPy refuses it too, in other words
        np.einsum(subscripts, *arrays)


def test_sizes_that_differ_raise(engine):
    with pytest.raises(ValueError, match="operand"):
        engine.grad(lambda x: ops.sum(ops.einsum("ij,jk->ik", x, X)))(X)


def test_an_option_that_changes_the_result_raises(engine):
    with pytest.raises(TypeError, match="dtype"):
        engine.grad(lambda x: np.sum(np.einsum("ij->i", x, dtype=np.float32)))(X)


def test_a_number_does_not_widen_float32(engine):
    x = X.astype(np.float32)
    assert ops.einsum("ij,->i", x, 2.0).dtype == np.float32
    gradient = engine.grad(lambda x: ops.sum(ops.einsum("ij,->i", x, 2.0)))(x)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, np.full((2, 3), 2.0))


def test_a_gradient_keeps_the_dtype_of_each_argument(engine):
    g, h = engine.gradient(
        lambda x, y: ops.sum(ops.einsum("ij,jk->ik", x, y)), X.astype(np.float32), Y
    )
    assert (g.dtype, h.dtype) == (np.float32, np.float64)


def test_the_third_derivative_of_a_product_of_three_is_right(engine):
    def f(x):
        return ops.einsum("i,i,i->", x, x, x)

    for _ in range(2):
        f = engine.grad(lambda x, f=f: ops.sum(f(x)))
    third = engine.grad(lambda x: ops.sum(f(x) * np.array([1.0, 10.0])))
    np.testing.assert_allclose(third(np.array([2.0, 3.0])), [6.0, 60.0], rtol=1e-15)
