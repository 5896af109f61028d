"""Differentiations inside differentiations: no perturbation is confused with another."""

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Parameter
from optshare_arrays import ops
from optshare_functional import hessian, hvp, jacobian, jvp, vjp

ENGINES = {"functional": optshare_functional, "tape": optshare_tape}
PAIRS = [(one, other) for one in ENGINES for other in ENGINES]


@pytest.fixture(params=PAIRS, ids=["-in-".join(pair[::-1]) for pair in PAIRS])
def grads(request):
    """The `grad` of the outer engine, and that of the inner."""
    outer, inner = request.param
    return ENGINES[outer].grad, ENGINES[inner].grad


# -- Siskind and Pearlmutter: Perturbation confusion (2005), nesting (2008) ------------------------


def test_the_inner_derivative_of_a_sum_is_one(grads):
    outer, inner = grads
    assert outer(lambda x: x * inner(lambda y: x + y)(x))(5.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0


def test_the_inner_derivative_may_hold_the_outer_variable(grads):
    outer, inner = grads
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(5.0) == 10.0
    assert outer(lambda x: x * inner(lambda y: x * y)(x))(5.0) == 10.0
    assert outer(lambda x: x * inner(lambda y: x * y * y)(x))(5.0) == 6 * 25.0
    assert outer(lambda x: inner(lambda y: x)(1.0) or x)(5.0) == 1.0  # no path inside


def test_one_name_for_two_variables_is_no_matter(grads):
    outer, inner = grads
    assert outer(lambda x: inner(lambda x: x * x)(x) * x)(5.0) == 20.0


def test_a_function_that_gives_a_function_keeps_its_levels_apart(grads):
    """The bug of Manzyuk et al., 2019: the derivative of a curried function."""
    outer, inner = grads

    def shift(u):
        return lambda f: lambda x: f(x + u)

    def derivative_at(u):
        return inner(lambda v: shift(v)(lambda z: z**3 * u)(1.0))(u)  # 3 (1 + u)**2 u

    assert outer(derivative_at)(2.0) == 3 * 9.0 + 6 * 3.0 * 2.0


@pytest.mark.parametrize("order", [3, 4])
def test_levels_stay_apart_at_any_depth(order, grads):
    outer, inner = grads

    def descend(depth, *xs):
        if depth == 0:
            product = xs[0]
            for place, each in enumerate(xs[1:], 2):
                product = product * each**place
            return product
        use = inner if depth % 2 else outer
        return use(lambda x: descend(depth - 1, *xs, x))(1.0)

    # every derivative at 1 of x**place gives its place: 2 * 3 * ... * (order + 1), times 3
    expected = np.prod(np.arange(1.0, order + 1))
    assert outer(lambda x: 3 * descend(order - 1, x))(7.0) == 3 * expected


def test_three_levels_with_every_variable_in_each(grads):
    outer, inner = grads

    def f(x):
        def g(y):
            def h(z):
                return x * x * y * y * z * z

            return y * inner(h)(x * y)  # y * 2 x**3 y**3

        return x * outer(g)(x)  # x * 8 x**3 x**3

    assert outer(f)(1.5) == pytest.approx(8 * 7 * 1.5**6, rel=1e-15)


def test_a_higher_derivative_of_mixed_engines(grads):
    outer, inner = grads
    f = np.sin
    for order in range(9):
        f = (outer, inner)[order % 2](f)
    np.testing.assert_allclose(f(0.7), np.cos(0.7), rtol=1e-12)


# -- the transforms inside each other --------------------------------------------------------------


def test_jvp_in_vjp_and_vjp_in_jvp_keep_their_levels():
    def along(x):
        return jvp(lambda y: x * y**3, (x,), (1.0,))[1]  # 3 x**3

    value, pullback = vjp(along, 2.0)
    assert (value, pullback(1.0)[0]) == (24.0, 36.0)
    _, tangent = jvp(lambda x: vjp(lambda y: x * y**3, x)[1](1.0)[0], (2.0,), (1.0,))
    assert tangent == 36.0


def test_a_jacobian_of_a_hessian_is_the_third_derivative():
    x = np.array([0.3, -0.7])
    found = jacobian(hessian(lambda a: ops.sum(a**4) + ops.prod(a) ** 2))(x)
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[1, 1, 1] = 24 * x
    for i, j, k in ((0, 0, 1), (0, 1, 0), (1, 0, 0)):
        expected[i, j, k], expected[1 - i, 1 - j, 1 - k] = 4 * x[::-1]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


def test_hvp_inside_grad_is_the_third_derivative_along_a_vector():
    x, v = np.array([0.3, -0.7]), np.array([1.0, 2.0])
    found = optshare_functional.grad(lambda a: ops.sum(hvp(lambda b: ops.sum(b**4), a, v)))(x)
    np.testing.assert_allclose(found, 24 * x * v, rtol=1e-14)


def test_a_models_gradient_is_differentiated_for_its_parameters_and_its_input():
    w = Parameter([2.0, 3.0])

    class Cube:
        weight = None

        def __init__(self):
            self.weight = w

        def __call__(self, x):
            return (w**3 * x).sum()

    def size(x, engine):
        (found,) = engine.grad(Cube())(x)
        return (found * found).sum()  # (3 w**2 x)**2

    x = np.array([5.0, 7.0])
    for outer in ENGINES:
        for inner in ENGINES.values():
            with optshare.use(outer):
                g = optshare.gradient(size, x, inner, wrt=(0, w))
            np.testing.assert_allclose(g[w], 36 * w.stored**3 * x**2, rtol=1e-15)
            np.testing.assert_allclose(g[0], 18 * w.stored**4 * x, rtol=1e-15)
