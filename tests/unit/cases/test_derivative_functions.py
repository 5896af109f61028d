"""What is made of gradients, as in HIPS autograd's tests of its wrappers and of Jacobians."""

from functools import partial

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import optshare_functional
from optshare_functional import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tests.unit.cases.agreement import assert_close, drawn

X, V = drawn((5,)), drawn((5,), seed=1)
MATRIX = drawn((3, 5), seed=2)

VECTOR_VALUED = {
    "a number to a vector": (lambda n, x: x * np.array([1.0, 2.0]) + x**3, 0.7),
    "waves": (lambda n, x: n.sin(x) * n.roll(x, 1), X),
    "an outer product": (lambda n, x: n.sin(n.outer(x, x)) + n.cos(n.dot(x, x)), X[:2]),
    "a layer": (lambda n, x: n.tanh(n.dot(MATRIX, x)), X),
    "a matrix to a row": (lambda n, x: n.sum(n.sin(x), axis=1, keepdims=True), drawn((1, 3))),
    "a matrix to its transpose": (lambda n, x: n.transpose(x) ** 2, drawn((2, 3))),
}


@pytest.mark.parametrize("name", VECTOR_VALUED)
def test_a_jacobian_agrees_with_autograd_and_so_does_its_jacobian(name):
    f, x = VECTOR_VALUED[name]
    ours, theirs = jacobian(partial(f, np)), autograd.jacobian(partial(f, anp))
    assert_close(ours(x), theirs(x))
    assert_close(jacobian(ours)(x), autograd.jacobian(theirs)(x))


def test_a_jacobian_agrees_with_the_gradients_of_its_rows():
    rows = [
        lambda n, grad, x: n.sum(x**3),
        lambda n, grad, x: n.prod(n.sin(x) + n.sin(x)),
        lambda n, grad, x: grad(lambda y: n.exp(y) * n.tanh(x[0]))(x[1]),
    ]
    grad = optshare_functional.grad
    found = jacobian(lambda x: np.stack([row(np, grad, x) for row in rows]))(X)
    expected = [autograd.grad(partial(row, anp, autograd.grad))(X) for row in rows]
    assert_close(found, np.vstack(expected))


def test_a_gradient_through_a_jacobian_agrees_with_autograd():
    f, x = VECTOR_VALUED["an outer product"]
    found = optshare_functional.grad(lambda x: np.sum(np.sin(jacobian(partial(f, np))(x))))(x)
    expected = autograd.grad(lambda x: anp.sum(anp.sin(autograd.jacobian(partial(f, anp))(x))))(x)
    assert_close(found, expected)


def test_the_hessian_of_a_quadratic_form_is_its_matrix_made_symmetric():
    square = drawn((5, 5))
    found = hessian(lambda x: np.dot(np.dot(x, square), x))(X)
    assert_close(found, square + square.T)


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 4, 3)])
def test_a_hessian_vector_product_is_the_product_with_the_hessian(shape):
    x, v = drawn(shape), drawn(shape, seed=1)
    f = lambda n, x: n.sum(n.sin(x)) ** 2  # noqa: E731 # as users write it
    whole = autograd.hessian(partial(f, anp))(x)
    assert_close(hvp(partial(f, np), x, v), np.tensordot(whole, v, axes=x.ndim))
    assert_close(hessian(partial(f, np))(x), whole)


def test_a_jvp_and_a_vjp_are_products_with_the_jacobian():
    f, x = VECTOR_VALUED["a layer"]
    whole = autograd.jacobian(partial(f, anp))(x)
    assert_close(jvp(partial(f, np), [x], [V])[1], whole @ V)
    value, pullback = vjp(partial(f, np), x)
    assert_close(value, f(np, x))
    assert_close(pullback(V[:3])[0], V[:3] @ whole)


def _complicated(n, a, b, c, d, e, f=1.1, g=9.0):
    return a + n.sin(b) + n.cosh(c) + n.cos(d) + n.tan(e) + f + g


def test_several_arguments_are_differentiated_in_the_order_that_was_asked(engine):
    numbers = 0.5, -0.3, 0.2, -1.1, 0.7
    found = engine.grad(partial(_complicated, np), (3, 1))(*numbers, f=0.6, g=-0.1)
    expected = autograd.grad(partial(_complicated, anp), (3, 1))(*numbers, f=0.6, g=-0.1)
    assert isinstance(found, tuple)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def test_the_value_beside_the_gradient_is_the_functions_and_is_differentiable():
    value, gradient = value_and_grad(lambda x: np.sum(np.sin(x) ** 2))(X)
    assert_close(value, np.sum(np.sin(X) ** 2))
    assert_close(gradient, np.sin(2 * X))
    again = optshare_functional.grad(lambda x: value_and_grad(lambda y: np.sum(y**3))(x)[0])(X)
    assert_close(again, 3 * X**2)


def test_a_partial_function_is_differentiated(engine):
    assert engine.grad(partial(lambda x, y: x * y, y=3.0))(2.0) == 3.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_gradient_has_its_arguments_dtype(dtype, engine):
    x = drawn((10, 10)).astype(dtype)
    gradient = engine.grad(lambda x: np.sum(x**2))(x)
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, 2 * x)


def test_elementwise_derivatives_are_gradients_of_the_sum(engine):
    """Autograd's `elementwise_grad`."""
    found = engine.grad(lambda x: np.sum(x + np.sin(x) + np.cosh(x)))(X)
    assert_close(found, autograd.elementwise_grad(lambda x: x + anp.sin(x) + anp.cosh(x))(X))
