"""Python's numbers, differentiated as HIPS autograd's tests of scalars do, to the third order."""

import operator

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from tests.unit.cases.agreement import assert_close

UNARY = {
    "abs": (1.1, -1.1),
    "absolute": (1.1, -1.1),
    "arccos": (0.1,),
    "arccosh": (1.9,),
    "arcsin": (0.1,),
    "arcsinh": (-0.7,),
    "arctan": (0.2,),
    "arctanh": (0.2,),
    "cos": (0.7, -2.0),
    "cosh": (0.7,),
    "deg2rad": (7.0,),
    "degrees": (7.0,),
    "exp": (0.7,),
    "exp2": (0.7,),
    "expm1": (0.7,),
    "log": (0.7,),
    "log10": (0.7,),
    "log1p": (0.7,),
    "log2": (0.7,),
    "negative": (0.7,),
    "rad2deg": (7.0,),
    "radians": (7.0,),
    "reciprocal": (0.4,),
    "sin": (0.7,),
    "sinc": (3.3, 0.6),
    "sinh": (0.7,),
    "sqrt": (7.0,),
    "square": (-0.7,),
    "tan": (0.7,),
    "tanh": (0.7,),
}
BINARY = {
    "add": operator.add,
    "arctan2": lambda x, y: np.arctan2(x, y),
    "divide": operator.truediv,
    "hypot": lambda x, y: np.hypot(x, y),
    "mod": operator.mod,
    "multiply": operator.mul,
    "power": operator.pow,
    "subtract": operator.sub,
}


def nested(grad, f, order):
    for _ in range(order):
        f = grad(f)
    return f


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_a_number_agrees_with_autograd_to_the_third_order(name, engine):
    def f(numpy):
        return lambda x: 3.0 * getattr(numpy, name)(x) + x * x * x * x

    for x in UNARY[name]:
        for order in (1, 2, 3):
            found = nested(engine.grad, f(np), order)(x)
            assert_close(found, nested(autograd.grad, f(anp), order)(x), f"{order} at {x}")


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("argnum", [0, 1])
def test_a_function_of_two_numbers_agrees_with_autograd(name, argnum, engine):
    def ours(x, y):
        return BINARY[name](x, y) + (x * y) ** 3

    def theirs(x, y):
        f = BINARY[name] if name not in ("arctan2", "hypot") else getattr(anp, name)
        return f(x, y) + (x * y) ** 3

    x, y = 1.7, 0.6
    assert_close(engine.grad(ours, argnum)(x, y), autograd.grad(theirs, argnum)(x, y))
    for other in (0, 1):
        found = engine.grad(lambda x, y: engine.grad(ours, argnum)(x, y) * 1.0, other)(
            x, y
        )  # called here
        assert_close(found, autograd.grad(autograd.grad(theirs, argnum), other)(x, y))


def test_the_absolute_value_has_the_derivative_0_at_0(engine):
    for f in (np.abs, np.fabs, abs):
        assert engine.grad(lambda x, f=f: 3.0 * f(x))(0.0) == 0.0


def test_a_power_of_0_is_flat_at_0(engine):
    """Issue 116 of autograd."""
    assert engine.grad(lambda x: np.power(x, 0.0))(0.0) == 0.0
    assert not engine.grad(engine.grad(lambda x: np.power(x, 0.0)))(0.0)  # no path, or 0


def test_0_to_a_power_is_flat_in_the_power(engine):
    assert engine.grad(lambda y: np.power(0.0, y))(0.6) == 0.0
    assert engine.grad(engine.grad(lambda y: np.power(0.0, y)))(0.6) == 0.0


def test_sinc_is_flat_at_0_and_bends_there(engine):
    assert engine.grad(np.sinc)(0.0) == 0.0
    assert_close(engine.grad(engine.grad(np.sinc))(0.0), -(np.pi**2) / 3)


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_a_comparison_is_a_constant(name, engine):
    compare = getattr(operator, name)
    for x, y in [(0.5, 2.0), (2.0, 2.0), (np.array([1.0, 2.0]), 1.0), (1.0, np.ones((2, 1)))]:

        def f(x, y):
            return np.sum(compare(x, y)) + np.sum(x) * 0.0 + np.sum(y) * 0.0

        value = np.sum(compare(np.asarray(x), np.asarray(y)))
        assert f(np.asarray(x), np.asarray(y)) == value
        for each, gradient in zip((x, y), engine.gradient(f, x, y), strict=True):
            np.testing.assert_array_equal(gradient, np.zeros(np.shape(each)))


def test_a_tie_of_max_or_min_is_shared_evenly(engine):
    """Autograd's cases of equal values."""
    assert engine.grad(lambda x: np.max(np.stack([x, x])))(1.0) == 1.0
    found = engine.gradient(lambda x: np.max(x), np.array([1.0, 1.0, 0.5]))[0]
    np.testing.assert_array_equal(found, [0.5, 0.5, 0.0])
    table = np.array([[2.0, 2.0, 2.0], [2.0, 0.5, 0.5], [0.5, 0.5, 0.5], [2.0, 2.0, 0.5]])
    expected = autograd.grad(lambda x: anp.sum(anp.min(x, axis=0) * anp.arange(1.0, 4.0)))(table)
    found = engine.grad(lambda x: np.sum(np.min(x, axis=0) * np.arange(1.0, 4.0)))(table)
    np.testing.assert_array_equal(found, expected)
