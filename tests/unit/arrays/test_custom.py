"""Primitives of users: in both engines, to any order, and what goes wrong."""

import math

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Parameter
from optshare.errors import (
    DifferentiationError,
    ImplicitUnwrapError,
    NoDerivativeError,
)
from optshare_arrays import ops
from optshare_functional import hvp, jvp
from optshare_tape import Variable, back


def exponential():
    """exp, made of Python's own."""

    @optshare_tape.primitive
    def exponential(x):
        """Say what it is."""
        return math.exp(x)

    return exponential.defvjp(lambda g, y, x: g * exponential(x))


def scaled():
    """x * y**power, of two arrays that broadcast."""

    @optshare_functional.primitive
    def scaled(x, y, power=1):
        return x * y**power

    return scaled.defvjp(
        lambda g, z, x, y, power=1: g * y**power,
        lambda g, z, x, y, power=1: g * (power * x * y ** (power - 1)),
    )


def test_both_engines_offer_one_decorator():
    assert optshare_tape.primitive is optshare_functional.primitive


def test_three_lines_are_differentiated_to_any_order(engine):
    f = exponential()
    assert f(1.0) == math.e
    for _ in range(5):
        f = engine.grad(f)
        np.testing.assert_allclose(f(1.3), math.exp(1.3), rtol=1e-15)


def test_a_primitive_undoes_broadcasting_and_takes_options(derivatives):
    f, x, y = scaled(), np.array([[1.0], [2.0]]), np.array([0.5, 1.5, 3.0])
    derivatives.agree(lambda a, b: f(a, b, power=3), lambda a, b: a * b**3, x, y)


def test_a_primitive_enters_every_style():
    f, x = scaled(), Variable([1.0, 2.0])
    back(f(x, x, power=2).sum())
    np.testing.assert_array_equal(x.grad, [3.0, 12.0])
    x.zero_grad()
    back(f(x, x, power=2).sum(), higher_order=True)
    slope = x.grad
    x.zero_grad()
    back(slope.sum())
    np.testing.assert_array_equal(x.grad, [6.0, 12.0])
    _, tangent = jvp(lambda a: f(a, a), ([1.0, 2.0],), ([1.0, 1.0],))
    np.testing.assert_array_equal(tangent, [2.0, 4.0])
    np.testing.assert_array_equal(hvp(lambda a: f(a, a).sum(), [1.0, 2.0], [1.0, 3.0]), [2.0, 6.0])
    w = Parameter([1.0, 2.0])
    optshare.SGD([w], lr=0.5).step(lambda: f(w.value, w.value).sum())
    np.testing.assert_array_equal(w.value, [0.0, 0.0])


def test_a_primitive_keeps_its_name_and_docstring():
    assert repr(exponential()) == "<primitive exponential>"
    assert exponential().__doc__ == "Say what it is."


def test_a_primitive_without_its_derivative_is_named(engine):
    @optshare_tape.primitive
    def halved(x, y):
        return x / 2

    with pytest.raises(NoDerivativeError, match=r"halved.* argument 0"):
        engine.grad(lambda x: halved(x, 1.0))(2.0)
    halved.defvjp(lambda g, z, x, y: g / 2)
    assert engine.grad(lambda x: halved(x, 1.0))(2.0) == 0.5
    with pytest.raises(NoDerivativeError, match=r"halved.* argument 1"):
        engine.grad(lambda y: halved(1.0, y))(2.0)


def test_a_tracked_keyword_is_refused(engine):
    f = scaled()
    with pytest.raises(ImplicitUnwrapError, match=r"scaled.*power=.*positional"):
        engine.grad(lambda x: f(2.0, 3.0, power=x))(2.0)
    with pytest.raises(ImplicitUnwrapError, match=r"p\.value"):
        f(Parameter([1.0]), 2.0)


@pytest.mark.parametrize("answer", [(1.0, 2.0), [1.0], None, "text"])
def test_an_answer_that_is_no_array_is_named(answer, engine):
    @optshare_tape.primitive
    def odd(x):
        return answer

    odd.defvjp(lambda g, y, x: g)
    with pytest.raises(DifferentiationError, match=f"odd gave a {type(answer).__name__}"):
        engine.grad(lambda x: ops.sum(odd(x)))(1.0)


def test_a_cotangent_may_be_a_number_and_nothing_else_that_is_no_array(engine):
    @optshare_tape.primitive
    def odd(x):
        return x * 1.0

    assert engine.grad(odd.defvjp(lambda g, y, x: 3))(1.0) == 3.0
    assert engine.grad(odd.defvjp(lambda g, y, x: None))(1.0) is None
    with pytest.raises(DifferentiationError, match="VJP 0 of odd gave a list"):
        engine.grad(odd.defvjp(lambda g, y, x: [g]))(1.0)
