"""Variable, and the contexts that switch recording."""

import copy
import pickle

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.errors import DifferentiationError, InPlaceError, ParameterError
from optshare_arrays import Traceable
from optshare_tape import Variable, back, differentiate, gradient, no_grad, record, value


def test_integers_become_floats():
    x = Variable([1, 2, 3])
    assert x.dtype == np.float64
    np.testing.assert_array_equal(value(x), [1.0, 2.0, 3.0])
    assert Variable(np.ones(2, np.float32)).dtype == np.float32
    assert Variable(3).shape == ()


def test_a_variable_copies_the_array_it_is_given():
    array = np.ones(2)
    x = Variable(array)
    array[0] = 5.0
    np.testing.assert_array_equal(value(x), [1.0, 1.0])


@pytest.mark.parametrize("given", ["text", [True, False], [None], {"a": 1}])
def test_what_is_no_number_is_refused(given):
    with pytest.raises(ParameterError, match="a parameter needs"):
        Variable(given)


def test_pythons_sum_is_recorded():
    x = Variable([1, 2, 3])
    y = sum(2 * x)
    back(y, 1)
    np.testing.assert_array_equal(x.grad, [2.0, 2.0, 2.0])
    assert value(y) == 12.0


OPERATIONS = {
    "2 * x": (lambda x: 2 * x, 2.0),
    "x * x": (lambda x: x * x, [2.0, 4.0, 6.0]),
    "array * x": (lambda x: np.array([1.0, 2.0, 3.0]) * x, [1.0, 2.0, 3.0]),
    "array @ x": (lambda x: np.array([[1.0, 2.0, 3.0]]) @ x, [1.0, 2.0, 3.0]),
    "x @ array": (lambda x: x @ np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]),
    "x[1:]": (lambda x: x[1:], [0.0, 1.0, 1.0]),
    "x[[0, 0]]": (lambda x: x[[0, 0]], [2.0, 0.0, 0.0]),
    "-x": (lambda x: -x, -1.0),
    "abs": (lambda x: abs(x - 2), [-1.0, 0.0, 1.0]),
    "np.square": (lambda x: np.square(x), [2.0, 4.0, 6.0]),
    "np.sum": (lambda x: np.sum(2 * x), 2.0),
    "np.mean": (lambda x: np.mean(x, axis=0), 1 / 3),
    "np.concatenate": (lambda x: np.concatenate([x, [5.0], x]), 2.0),
    "np.where": (lambda x: np.where([True, False, True], x, 7.0), [1.0, 0.0, 1.0]),
    "np.stack": (lambda x: np.stack([x, x, x]), 3.0),
    "np.add": (lambda x: np.add(x, x), 2.0),
    "x.sum": (lambda x: x.sum(), 1.0),
    "x.T": (lambda x: x.T * 3, 3.0),
    "x.reshape": (lambda x: x.reshape(3, 1) * 2, 2.0),
    "x.value": (lambda x: x.value * 4, 4.0),
    "iteration": (lambda x: sum(each * each for each in x), [2.0, 4.0, 6.0]),
    "x > 1": (lambda x: x * (x > 1), [0.0, 1.0, 1.0]),
    "np.multiply of what was computed": (lambda x: np.multiply(2 * x, x), [4.0, 8.0, 12.0]),
    "np.maximum of what was computed": (lambda x: np.maximum(x * x, x), [1.5, 4.0, 6.0]),
    "np.concatenate of what was computed": (lambda x: np.concatenate([2 * x, x]), 3.0),
    "np.where of what was computed": (
        lambda x: np.where([True, True, False], 2 * x, x),
        [2.0, 2.0, 1.0],
    ),
    "np.dot of what was computed": (lambda x: np.dot(2 * x, x), [4.0, 8.0, 12.0]),
    "ops of what was computed": (
        lambda x: optshare.namespace_of(x.value).multiply(2 * x, x),
        [4.0, 8.0, 12.0],
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_a_variable_enters_is_recorded(name):
    f, expected = OPERATIONS[name]
    x = Variable([1.0, 2.0, 3.0])
    back(np.sum(f(x)))
    np.testing.assert_allclose(x.grad, np.broadcast_to(expected, 3), rtol=1e-15)


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_a_variable_enters_is_differentiated(name):
    f, expected = OPERATIONS[name]
    x = Variable([1.0, 2.0, 3.0])
    found = gradient(differentiate(lambda: np.sum(f(x))), x)
    np.testing.assert_allclose(found, np.broadcast_to(expected, 3), rtol=1e-15)


@pytest.mark.parametrize("name", OPERATIONS)
def test_inside_no_grad_nothing_is_recorded(name):
    f, _ = OPERATIONS[name]
    x = Variable([1.0, 2.0, 3.0])
    with no_grad():
        y = f(x)
    assert not isinstance(y, Traceable)
    with pytest.raises(DifferentiationError, match="no Variable"):
        back(y)


def test_no_grad_makes_plain_arrays_of_tracked_values_too():
    x = Variable([1.0, 2.0])
    y = 3 * x
    with no_grad():
        inside = y * 2
        with record():
            recorded = (x * x).sum()
    assert type(inside) is np.ndarray
    back(recorded)
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_no_grad_ends_with_an_exception():
    x = Variable([1.0])
    with pytest.raises(LookupError), no_grad():
        raise LookupError
    back((x * 2).sum())
    np.testing.assert_array_equal(x.grad, [2.0])


def test_two_variables_in_one_function_of_numpy_each_receive_theirs():
    x, y = Variable([1.0, 2.0]), Variable([3.0, 4.0])
    back(np.multiply(x, y).sum() + np.concatenate([x, 2 * y]).sum())
    np.testing.assert_array_equal(x.grad, [4.0, 5.0])
    np.testing.assert_array_equal(y.grad, [3.0, 4.0])


def test_a_frozen_variable_is_a_plain_array_until_it_thaws():
    x, y = Variable([1.0, 2.0]), Variable([3.0, 4.0])
    optshare.freeze([x])
    assert type(x.value) is np.ndarray
    assert not isinstance(2 * x, Traceable)
    back((x * y).sum())
    assert x.grad is None
    np.testing.assert_array_equal(y.grad, [1.0, 2.0])
    optshare.thaw([x])
    back((x * y).sum())
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])


def test_a_variable_is_found_among_parameters_and_trains():
    x = Variable([2.0, -1.0])
    assert optshare.params({"x": x}) == [x]
    opt = optshare.SGD([x], lr=0.25)
    loss = opt.step(lambda: (x * x).sum())
    assert type(loss) is not Variable
    assert not isinstance(loss, Traceable)
    assert loss == 5.0
    np.testing.assert_array_equal(value(x), [1.0, -0.5])


def test_an_assignment_replaces_the_array_and_keeps_the_identity():
    x = Variable([1.0, 2.0])
    table = {x: "mine"}
    x.value = [3.0, 4.0]
    assert table[x] == "mine"
    back((x * x).sum())
    np.testing.assert_array_equal(x.grad, [6.0, 8.0])
    with pytest.raises(ParameterError, match="shape"):
        x.value = [1.0]


def test_what_would_lose_the_identity_or_the_gradient_raises():
    x = Variable([1.0, 2.0])
    with pytest.raises(InPlaceError, match=r"p\.value"):
        x += 1.0
    with pytest.raises(InPlaceError, match=r"p\.value"):
        x[0] = 1.0
    with pytest.raises(TypeError, match="gradient"):
        np.asarray(x)
    with pytest.raises(AttributeError):
        _ = x.no_such_method
    np.testing.assert_array_equal(value(x), [1.0, 2.0])


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
def test_a_copy_is_another_variable(copied):
    x = Variable([1.0, 2.0])
    twin = copied(x)
    assert isinstance(twin, Variable)
    back((twin * twin).sum())
    np.testing.assert_array_equal(twin.grad, [2.0, 4.0])
    assert x.grad is None


def test_a_variable_shows_its_array():
    assert repr(Variable([1, 2])) == "Variable(array([1., 2.]))"


def test_a_parameter_is_recorded_only_inside_record():
    p = Parameter([1.0, 2.0])
    assert type(2 * p) is np.ndarray
    with record():
        y = (2 * p).sum()
    assert type(2 * p) is np.ndarray
    back(y)
    np.testing.assert_array_equal(p.grad, [2.0, 2.0])


def test_the_top_levels_record_is_the_tapes():
    p = Parameter([1.0, 2.0])
    with optshare.record():
        assert optshare.recording()
        y = (p * p).sum()
    assert not optshare.recording()
    back(y)
    np.testing.assert_array_equal(p.grad, [2.0, 4.0])


def test_dropout_acts_while_recording_only():
    x, drop = Variable(np.ones(64)), optshare.Dropout(0.5, seed=1)
    with record():
        thinned = drop(x.value)
    assert 0 < np.count_nonzero(value(thinned)) < 64
    assert drop(np.ones(64)).all()
    with no_grad():
        assert drop(np.ones(64)).all()
