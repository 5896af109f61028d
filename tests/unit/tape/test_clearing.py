"""zero_grad and detach."""

import numpy as np
import pytest

import optshare
from optshare import Dense, Parameter
from optshare.errors import EmptyModelError
from optshare_arrays import Traceable
from optshare_tape import Variable, back, detach, differentiate, grad, gradient, value, zero_grad


def test_a_gradient_is_forgotten_by_the_variable_or_its_model():
    x, y, layer = Variable([1.0]), Variable([2.0]), Dense(2, 1, dtype=np.float64)
    back((x * y).sum())
    layer.weight.grad = np.ones((2, 1))
    x.zero_grad()
    assert (x.grad, y.grad) == (None, 1.0)
    zero_grad([{"y": y}], layer)
    assert (y.grad, layer.weight.grad) == (None, None)
    zero_grad(x)
    zero_grad()


@pytest.mark.parametrize("wrong", [[], np.ones(2), [np.ones(2)], "model", lambda: 0])
def test_what_holds_no_parameter_has_no_gradient_to_forget(wrong):
    x = Variable([1.0])
    back((x * x).sum())
    with pytest.raises(EmptyModelError, match="zero_grad takes"):
        zero_grad(x, wrong)
    np.testing.assert_array_equal(x.grad, [2.0])


def test_what_is_detached_is_a_constant():
    x = Variable([1.0, 2.0])
    for constant in (
        x.detach(),
        detach(x),
        (+x).detach(),
        detach(+x),
        detach(Parameter([1.0, 2.0])),
    ):
        assert type(constant) is np.ndarray
        x.zero_grad()
        back((x * constant).sum())
        np.testing.assert_array_equal(x.grad, [1.0, 2.0])


def test_what_is_detached_keeps_its_numbers_when_the_variable_is_updated():
    x = Variable([1.0, 2.0])
    kept = [x.detach(), detach(x), x.value.detach(), x.reshape(2, 1).detach()]
    optshare.SGD([x], lr=1.0).update([[1.0, 1.0]])
    np.testing.assert_array_equal(value(x), [0.0, 1.0])
    for each in kept:
        np.testing.assert_array_equal(each.ravel(), [1.0, 2.0])


def test_detach_inside_a_differentiation_strips_every_level():
    x = Variable([1.0, 2.0])

    def loss():
        constant = x.detach()
        assert not isinstance(constant, Traceable)
        inner = grad(lambda a: (a * detach(a) * x.value).sum())([3.0, 4.0])  # 3 x, 4 x
        return (constant * x * inner).sum()

    found = gradient(differentiate(loss), x)
    np.testing.assert_array_equal(found, 2 * np.array([3.0, 4.0]) * value(x) ** 2)


def test_what_is_not_tracked_is_itself():
    array = np.ones(2)
    for thing in (array, 3.0, "text", None):
        assert detach(thing) is thing
