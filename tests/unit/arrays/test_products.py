"""Products of matrices and tensors, on both engines."""

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import optshare_functional
from optshare_arrays import ops


def numbers(*shape):
    return np.random.default_rng(len(shape) + sum(shape)).normal(size=shape)


MATMUL = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((1, 1), (1, 1)),
]
EMPTY = [
    ((0,), (0,)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((2, 3), (3, 0)),
    ((0, 2, 3), (3, 4)),
    ((5, 2, 0), (0, 4)),
    ((5, 2, 0), (5, 0, 4)),
    ((2, 0), (0,)),
    ((0,), (0, 4)),
    ((3,), (3, 0)),
]
TENSORDOT = [
    ((2, 3, 4), (3, 4, 5), 2),
    ((2, 3), (3, 4), 1),
    ((2, 3), (4,), 0),
    ((2, 3, 4), (4, 5, 3), ((1, 2), (2, 0))),
    ((2, 3, 4), (4, 5, 3), ([-2], [-1])),
    ((2, 3, 4), (4, 5, 3), (2, 0)),
    ((2, 3), (2, 3), 2),
    ((2, 0), (0, 4), 1),
    ((0, 3), (3, 4), 1),
    ((2, 3), (3, 0), 1),
]


@pytest.mark.parametrize(("left", "right"), MATMUL)
def test_matmul_agrees_with_autograd_to_the_second_derivative(left, right, derivatives):
    derivatives.agree(ops.matmul, anp.matmul, numbers(*left), numbers(*right))


@pytest.mark.parametrize(("left", "right"), EMPTY)
def test_matmul_of_empty_arrays_has_gradients_of_zeros(left, right, engine):
    x, y = np.ones(left), np.ones(right)
    np.testing.assert_array_equal(ops.matmul(x, y), np.matmul(x, y))
    dx, dy = engine.gradient(lambda a, b: ops.sum(a @ b), x, y)
    np.testing.assert_array_equal(dx, np.zeros(left))
    np.testing.assert_array_equal(dy, np.zeros(right))


@pytest.mark.parametrize(("left", "right", "axes"), TENSORDOT)
def test_tensordot_agrees_with_numpy_and_is_linear_in_each_argument(left, right, axes, engine):
    x, y = numbers(*left), numbers(*right)
    expected = np.tensordot(x, y, axes)
    np.testing.assert_allclose(ops.tensordot(x, y, axes=axes), expected, rtol=1e-12, atol=1e-14)
    given = numbers(*expected.shape)
    dx, dy = engine.gradient(lambda a, b: ops.sum(ops.tensordot(a, b, axes=axes) * given), x, y)

    def loss(a, b):
        return np.sum(np.tensordot(a, b, axes) * given)

    # linear in each argument, so that the derivative along a direction is its own value there
    along_x, along_y = numbers(*left)[::-1], numbers(*right)[::-1]
    assert (dx.shape, dy.shape) == (left, right)
    assert np.sum(dx * along_x) == pytest.approx(loss(along_x, y), rel=1e-12, abs=1e-12)
    assert np.sum(dy * along_y) == pytest.approx(loss(x, along_y), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_vecdot_is_the_sum_of_products_along_an_axis(axis, derivatives):
    derivatives.agree(
        lambda x, y: ops.vecdot(x, y, axis=axis),
        lambda x, y: anp.sum(x * y, axis=axis),
        numbers(2, 3),
        numbers(2, 3),
    )


@pytest.mark.parametrize(
    ("left", "right"), [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((), (3,)), ((2, 3), ())]
)
def test_numpys_dot_agrees_with_autograd(left, right, derivatives):
    derivatives.agree(np.dot, anp.dot, numbers(*left), numbers(*right))


def test_numpys_outer_agrees_with_autograd(derivatives):
    derivatives.agree(np.outer, anp.outer, numbers(2), numbers(3))


@pytest.mark.parametrize("f", [lambda x, y: x @ y, ops.matmul, np.matmul, np.dot])
def test_an_array_may_stand_on_either_side(f, engine):
    x, y = numbers(2, 3), numbers(3, 4)
    dx = engine.grad(lambda a: ops.sum(f(a, y)))(x)
    dy = engine.grad(lambda b: ops.sum(f(x, b)))(y)
    np.testing.assert_allclose(dx, np.ones((2, 4)) @ y.T, rtol=1e-13)
    np.testing.assert_allclose(dy, x.T @ np.ones((2, 4)), rtol=1e-13)


def test_a_list_may_stand_beside_a_tracked_matrix(engine):
    gradient = engine.grad(lambda x: ops.sum(x @ [[1.0, 2.0], [3.0, 4.0]]))(np.ones((1, 2)))
    np.testing.assert_array_equal(gradient, [[3.0, 7.0]])


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (4, 5)), ((3,), (4,)), ((), (3,)), ((2, 2, 3), (3, 3, 4))]
)
def test_shapes_that_do_not_fit_raise(left, right, engine):
    with pytest.raises(ValueError, match=r"."):
        engine.gradient(lambda x, y: ops.sum(x @ y), np.ones(left), np.ones(right))


def test_a_float32_matrix_keeps_a_float32_gradient_beside_float64(engine):
    x, y = numbers(2, 3).astype(np.float32), numbers(3, 4)
    dx, dy = engine.gradient(lambda a, b: ops.sum(a @ b), x, y)
    assert (dx.dtype, dy.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(dx, np.ones((2, 4)) @ y.T, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from([np.float32, np.float64]))
def test_matmul_of_any_shapes_that_broadcast(data, dtype):
    import optshare_tape

    shapes = data.draw(npst.mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)"))
    x, y = (np.ones(shape, dtype) for shape in shapes.input_shapes)
    expected = np.matmul(x, y)
    for engine in (optshare_tape, optshare_functional):
        dx, dy = engine.gradient(lambda a, b: ops.sum(a @ b), x, y)
        assert (dx.shape, dx.dtype, dy.shape, dy.dtype) == (x.shape, dtype, y.shape, dtype)
        # of ones: each gradient times its argument sums to the value
        np.testing.assert_allclose((dx * x).sum(), expected.sum(), rtol=1e-5)
        np.testing.assert_allclose((dy * y).sum(), expected.sum(), rtol=1e-5)
