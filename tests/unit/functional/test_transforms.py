"""grad and everything made of it, against formulas by hand."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
import optshare_functional
from optshare import Buffer, Dropout, Parameter
from optshare.errors import DifferentiationError, NonScalarLossError, OptshareError
from optshare_arrays import Traceable, ops
from optshare_functional import (
    checkpoint,
    custom_vjp,
    grad,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

X = np.array([0.3, -1.2, 0.7])
A = np.array([[2.0, -1.0, 0.5], [0.3, 1.0, 4.0]])


def nested(f, order):
    for _ in range(order):
        f = grad(f)
    return f


def is_plain(thing):
    return not isinstance(thing, Traceable)


# -- grad --------------------------------------------------------------------------------------


def test_grad_of_a_number_is_a_0d_array():
    found = grad(lambda x: x**3)(2)
    assert type(found) is np.ndarray
    assert found.shape == ()
    assert found == 12.0


@pytest.mark.parametrize("order", range(1, 10))
def test_the_derivatives_of_sine_are_exact_to_the_ninth(order):
    for x in (0.0, 0.7, -2.0):
        expected = (np.sin, np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a))[order % 4](x)
        np.testing.assert_allclose(nested(np.sin, order)(x), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("order", range(1, 7))
def test_the_derivatives_of_the_exponential_are_itself(order):
    np.testing.assert_allclose(nested(np.exp, order)(1.3), np.exp(1.3), rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_the_derivatives_of_a_power_fall_to_zero(order):
    expected = [4 * 2.0**3, 12 * 2.0**2, 24 * 2.0, 24.0, 0.0][order - 1]
    assert nested(lambda x: x**4, order)(2.0) == expected


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x * grad(lambda y: x + y)(x), 1.0),
        (lambda x: x * grad(lambda y: x * y)(x), 10.0),
        (lambda x: x * grad(lambda y: x * y * y)(2.0), 40.0),
        (lambda x: grad(lambda y: grad(lambda z: x * y * z)(1.0) * y)(x), 20.0),
        (lambda x: grad(lambda x: x * x)(x), 2.0),
    ],
)
def test_perturbations_are_not_confused(f, expected):
    assert grad(f)(5.0) == expected


def test_value_and_grad_gives_the_value_first():
    value, found = value_and_grad(lambda x: ops.sum(x * x))(X)
    assert is_plain(value)
    np.testing.assert_allclose(value, np.sum(X * X), rtol=1e-15)
    np.testing.assert_array_equal(found, 2 * X)


def test_gradient_is_parallel_to_the_arguments():
    found = gradient(lambda x, y, z: (x * y).sum(), [1, 2, 3], [4, 5, 6], [7, 8])
    np.testing.assert_array_equal(found[0], [4.0, 5.0, 6.0])
    np.testing.assert_array_equal(found[1], [1.0, 2.0, 3.0])
    assert found[2] is None


def test_argnum_chooses_one_argument_or_several():
    def f(x, y, z):
        return (x * y * z).sum()

    np.testing.assert_array_equal(grad(f, 1)([2.0], [3.0], [5.0]), [10.0])
    found = grad(f, (2, 0))([2.0], [3.0], [5.0])
    assert isinstance(found, tuple)
    np.testing.assert_array_equal(found, [[6.0], [15.0]])
    value, found = value_and_grad(f, (1,))([2.0], [3.0], [5.0])
    assert value == 30.0
    np.testing.assert_array_equal(found, [[10.0]])


@pytest.mark.parametrize("argnum", [2, -3, (0, 5)])
def test_an_argument_that_is_not_there_is_named(argnum):
    with pytest.raises(OptshareError, match="argument"):
        grad(lambda x, y: x * y, argnum)(1.0, 2.0)


def test_an_argument_that_is_not_differentiated_stays_as_it_is():
    labels = np.array([0, 2])
    found = grad(lambda x, at: x[at].sum())(X, labels)
    np.testing.assert_array_equal(found, [1.0, 0.0, 1.0])
    assert grad(lambda x, name: x * len(name))(2.0, "four") == 4.0


def test_keyword_arguments_are_passed_on():
    assert grad(lambda x, *, power=1: x**power)(2.0, power=3) == 12.0


Pair = namedtuple("Pair", ["left", "right"])


def test_a_gradient_has_the_structure_of_its_argument():
    w = {"layers": [(A, [1.0, 2.0]), Pair(3.0, X)], "scale": 2}

    def f(tree):
        (weights, bias), pair = tree["layers"]
        return tree["scale"] * (ops.sum(weights @ pair.right + bias) + pair.left**2)

    found = grad(f)(w)
    (weights, bias), pair = found["layers"]
    assert isinstance(pair, Pair)
    assert list(found) == ["layers", "scale"]
    np.testing.assert_allclose(weights, 2 * np.tile(X, (2, 1)), rtol=1e-15)
    np.testing.assert_array_equal(bias, [2.0, 2.0])
    np.testing.assert_array_equal(pair.left, 12.0)
    np.testing.assert_allclose(pair.right, 2 * A.sum(0), rtol=1e-15)
    np.testing.assert_allclose(found["scale"], (A @ X).sum() + 3.0 + 9.0, rtol=1e-15)


def test_a_structure_is_differentiated_twice():
    def norm_of_gradient(tree):
        inner = grad(lambda t: ops.sum(t["a"] ** 3 * t["b"]))(tree)
        return ops.sum(inner["a"]) + ops.sum(inner["b"])

    found = grad(norm_of_gradient)({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    np.testing.assert_allclose(found["a"], [6 * 3 + 3, 12 * 4 + 12], rtol=1e-15)
    np.testing.assert_allclose(found["b"], [3.0, 12.0], rtol=1e-15)


@pytest.mark.parametrize("empty", [[], {}, ()])
def test_an_empty_structure_has_an_empty_gradient(empty):
    assert grad(lambda x: 3.0)(empty) == empty


@pytest.mark.parametrize("constant", [None, True, "text"])
def test_a_constant_argument_has_no_gradient(constant):
    assert grad(lambda x: 3.0)(constant) is None


def test_gradient_of_no_argument_is_an_empty_tuple():
    assert gradient(lambda: 3.0) == ()


def test_a_boolean_array_among_the_arguments_is_a_constant():
    mask = np.array([True, False, True])
    found = gradient(lambda x, m: x[m].sum(), X, mask)
    np.testing.assert_array_equal(found[0], [1.0, 0.0, 1.0])
    assert found[1] is None


def test_no_path_is_none():
    assert grad(lambda x: 3.0)(1.0) is None
    assert grad(lambda x: np.sum(ops.stop_gradient(x)))(X) is None
    assert grad(lambda x: ops.sum(ops.sign(x)))(X) is None


def test_a_value_with_axes_raises():
    for value in (lambda x: x * 2, lambda x: np.ones(3)):
        with pytest.raises(NonScalarLossError, match=r"\(3,\)"):
            grad(value)(X)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(-3, 3))
def test_differentiation_is_linear_and_knows_the_product_rule(numbers, c):
    x = np.array(numbers)

    def f(a):
        return ops.sum(ops.sin(a) * a)

    def g(a):
        return ops.sum(ops.exp(-a * a))

    df, dg = grad(f)(x), grad(g)(x)
    np.testing.assert_allclose(
        grad(lambda a: c * f(a) + g(a))(x), c * df + dg, rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(
        grad(lambda a: f(a) * g(a))(x), df * g(x) + f(x) * dg, rtol=1e-11, atol=1e-13
    )


# -- vjp, jvp, jacobian, hessian, hvp -----------------------------------------------------------


def test_a_pullback_may_be_called_twice():
    value, pullback = vjp(lambda x, y: A @ x * y, X, [2.0, 3.0])
    np.testing.assert_allclose(value, A @ X * [2.0, 3.0], rtol=1e-15)
    for seed in ([1.0, 0.0], [0.5, -2.0], [1.0, 0.0]):
        dx, dy = pullback(seed)
        np.testing.assert_allclose(dx, A.T @ (np.array(seed) * [2.0, 3.0]), rtol=1e-14)
        np.testing.assert_allclose(dy, A @ X * seed, rtol=1e-14)


def test_a_pullback_gives_none_where_there_is_no_path():
    _, pullback = vjp(lambda x, y: 2 * x, X, X)
    assert pullback(np.ones(3))[1] is None
    value, pullback = vjp(lambda x: np.ones(2), X)
    assert pullback(np.ones(2)) == [None]
    np.testing.assert_array_equal(value, [1.0, 1.0])


@pytest.mark.parametrize("seed", [1.0, np.ones(2), np.ones((3, 1)), np.ones((1, 3))])
def test_a_cotangent_of_another_shape_raises(seed):
    _, pullback = vjp(lambda x: 2 * x, X)
    with pytest.raises(DifferentiationError, match=r"seed.*\(3,\)"):
        pullback(seed)


def test_a_cotangent_is_converted_to_the_values_dtype():
    _, pullback = vjp(lambda x: 2 * x, X.astype(np.float32))
    (found,) = pullback([1, 2, 3])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [2.0, 4.0, 6.0])


def test_a_pullback_is_differentiated_for_its_cotangent_and_its_point():
    def f(x, g):
        return ops.sum(vjp(lambda a: a**3, x)[1](g)[0] ** 2)  # (3 x**2 g)**2

    dx, dg = gradient(f, X, [1.0, 2.0, 3.0])
    g = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(dx, 36 * X**3 * g**2, rtol=1e-13)
    np.testing.assert_allclose(dg, 18 * X**4 * g, rtol=1e-13)


def test_jvp_is_the_derivative_along_the_tangents():
    u, v = np.array([1.0, 2.0, -1.0]), np.array([0.5, 0.0, 3.0])
    value, tangent = jvp(lambda x, y: ops.sin(x) * y, [X, X + 1], [u, v])
    np.testing.assert_allclose(value, np.sin(X) * (X + 1), rtol=1e-15)
    np.testing.assert_allclose(tangent, np.cos(X) * u * (X + 1) + np.sin(X) * v, rtol=1e-14)
    assert is_plain(tangent)


def test_jvp_of_a_linear_function_is_the_function():
    _, tangent = jvp(lambda x: A @ x, [X], [[1.0, 0.0, 2.0]])
    np.testing.assert_allclose(tangent, A @ [1.0, 0.0, 2.0], rtol=1e-15)


def test_jvp_without_a_path_is_zero():
    for f in (lambda x: np.ones(2), lambda x: ops.floor(x[:2])):
        _, tangent = jvp(f, [X], [X])
        np.testing.assert_array_equal(tangent, [0.0, 0.0])


def test_jvp_keeps_float32():
    value, tangent = jvp(lambda x: x * x, [X.astype(np.float32)], [[1.0, 2.0, 3.0]])
    assert (value.dtype, tangent.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("tangents", [[np.ones(2)], [np.ones(3), np.ones(3)], [], [1.0]])
def test_tangents_that_do_not_fit_raise(tangents):
    with pytest.raises((ValueError, OptshareError)):
        jvp(lambda x: x * x, [X], tangents)


def test_jvp_is_differentiated():
    found = grad(lambda x: ops.sum(jvp(lambda a: a**3, [x], [[1.0, 1.0, 1.0]])[1]))(X)
    np.testing.assert_allclose(found, 6 * X, rtol=1e-14)


def test_the_jacobian_has_the_shape_of_the_value_then_of_the_argument():
    found = jacobian(lambda x: ops.sin(A @ x))(X)
    np.testing.assert_allclose(found, np.cos(A @ X)[:, None] * A, rtol=1e-14)
    matrix = jacobian(lambda x: x.T)(A)
    assert matrix.shape == (3, 2, 2, 3)
    np.testing.assert_array_equal(matrix, np.einsum("jl,ik->jikl", np.eye(3), np.eye(2)))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x.sum(), np.ones(3)),
        (lambda x: np.ones(2), np.zeros((2, 3))),
        (lambda x: 3.0, np.zeros(3)),
        (lambda x: ops.sign(x), np.zeros((3, 3))),
        (lambda x: x[:0], np.zeros((0, 3))),
    ],
)
def test_the_jacobian_of_simple_functions(f, expected):
    np.testing.assert_array_equal(jacobian(f)(X), expected)


def test_the_jacobian_passes_other_arguments_on():
    np.testing.assert_allclose(jacobian(lambda x, b: b @ x)(X, A), A, rtol=1e-15)


def test_the_jacobian_of_a_jacobian_is_symmetric_and_right():
    found = jacobian(jacobian(lambda x: ops.prod(x)))(X)
    expected = np.array([[0, X[2], X[1]], [X[2], 0, X[0]], [X[1], X[0], 0]])
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: ops.sum(x**3), np.diag(6 * X)),
        (lambda x: ops.sum(A @ x), np.zeros((3, 3))),
        (lambda x: 0.5 * x @ (A.T @ A) @ x, A.T @ A),
        (lambda x: ops.sum(x) ** 2, np.full((3, 3), 2.0)),
        (lambda x: 3.0, np.zeros((3, 3))),
    ],
)
def test_the_hessian_has_its_formula(f, expected):
    np.testing.assert_allclose(hessian(f)(X), expected, rtol=1e-14, atol=1e-15)


def test_the_hessian_of_a_matrix_argument_has_four_axes():
    found = hessian(lambda x: ops.sum(x * x * x))(A)
    expected = np.zeros((2, 3, 2, 3))
    for i in range(2):
        for j in range(3):
            expected[i, j, i, j] = 6 * A[i, j]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_the_hessian_of_logsumexp_is_that_of_softmax():
    p = np.exp(X) / np.exp(X).sum()
    np.testing.assert_allclose(hessian(ops.logsumexp)(X), np.diag(p) - np.outer(p, p), rtol=1e-13)


def test_hvp_is_the_hessian_times_a_vector():
    def f(x):
        return ops.sum(ops.sin(A @ x) ** 2) + ops.prod(x)

    for v in (X, np.eye(3)[1], np.zeros(3)):
        np.testing.assert_allclose(hvp(f, X, v), hessian(f)(X) @ v, rtol=1e-12, atol=1e-14)


def test_hvp_of_a_linear_function_is_zero():
    np.testing.assert_array_equal(hvp(lambda x: ops.sum(A @ x), X, X), np.zeros(3))


# -- Parameters, checkpoint, custom_vjp -----------------------------------------------------------


def test_a_gradient_penalty_trains():
    w = Parameter(np.array([1.0, 0.1]))
    x = np.array([[1.0, 0.5], [-0.3, 2.0], [0.7, -1.1]])
    opt = optshare.SGD([w], lr=0.1)
    wanted = np.array([0.5, 0.25])
    target = (1 - np.tanh(x @ wanted) ** 2)[:, None] * wanted

    def penalty():
        slopes = grad(lambda a: ops.sum(ops.tanh(a @ w.value)))(x)  # one row for each sample
        return ops.sum((slopes - target) ** 2)

    with optshare.use("functional"):
        (found,) = optshare.gradient(penalty, wrt=w)
        steps = 1e-6 * np.eye(2)
        start = w.value.copy()
        for step, each in zip(steps, found, strict=True):  # h = eps**(1/3): error about h**2
            w.value = start + step
            above = penalty()
            w.value = start - step
            assert each == pytest.approx((above - penalty()) / 2e-6, rel=1e-7)
        w.value = start
        losses = [float(opt.step(penalty)) for _ in range(300)]
    assert losses[-1] < 1e-3 * losses[0]
    np.testing.assert_allclose(w.value, wanted, atol=0.02)


def test_a_checkpoint_nests_in_grad_of_grad():
    def f(x):
        return ops.sum(ops.sin(x) * x)

    for order in (1, 2, 3):
        plain_f, recomputed = (lambda x: f(x)), checkpoint(f)
        for _ in range(order - 1):
            plain_f, recomputed = (
                (lambda x, g=g: ops.sum(grad(g)(x))) for g in (plain_f, recomputed)
            )
        np.testing.assert_allclose(grad(recomputed)(X), grad(plain_f)(X), rtol=1e-12)


def test_a_checkpoint_of_parameters_dropout_and_buffers_has_the_same_gradients():
    w = Parameter(np.linspace(0.5, 1.5, 16))
    results = []
    for wrapped in (lambda f: f, checkpoint):
        drop, count = Dropout(0.5, seed=5), Buffer(0.0)

        def layer(x, drop=drop, count=count):
            count.value = count.value + 1
            return drop(ops.tanh(x * w.value)) * count.value

        run = wrapped(layer)
        with optshare.use("functional"):
            found = optshare.gradient(
                lambda x, run=run: ops.sum(run(x) ** 2), np.ones(16), wrt=(0, w)
            )
        results.append((found[0], found[w], count.stored, drop.calls.stored))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
    assert results[1][2:] == (1.0, 1)


def test_a_custom_derivative_counts_to_any_order():
    def wrong_on_purpose(x):
        return custom_vjp(lambda a: a**3, lambda a: (a**3, a), lambda a, g: (g * a * a,))(x)

    assert grad(wrong_on_purpose)(2.0) == 4.0
    assert nested(wrong_on_purpose, 2)(2.0) == 4.0
    assert nested(wrong_on_purpose, 3)(2.0) == 2.0


def test_transforms_keep_the_name_and_the_docstring():
    def named(x):
        """Say what it is."""
        return x * x

    for transform in (grad, value_and_grad, jacobian, hessian, checkpoint):
        made = transform(named)
        assert made.__name__ == "named"
        assert made.__doc__ == "Say what it is."
    assert set(optshare_functional.__all__) >= {"grad", "vjp", "custom_vjp"}
