"""back: the backward pass of a recorded value."""

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.errors import (
    DifferentiationError,
    EscapedValueError,
    FreedRecordError,
    NonScalarLossError,
    StaleRecordError,
)
from optshare_tape import Variable, back, differentiate, grad, record, value


def test_gradients_accumulate_until_they_are_zeroed():
    x = Variable([1.0, 2.0])
    back((x * x).sum())
    first = x.grad
    back((x * x).sum())
    np.testing.assert_array_equal(x.grad, [4.0, 8.0])
    np.testing.assert_array_equal(first, [2.0, 4.0])
    opt = optshare.SGD([x], lr=0.1)
    opt.zero_grad()
    back((3 * x).sum())
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])


@pytest.mark.parametrize("seed", [[1.0, 10.0], (1, 10), np.array([1, 10]), np.float32([1, 10])])
def test_a_seed_weighs_the_elements_of_a_value(seed):
    x = Variable([1.0, 2.0])
    back(x * x, seed)
    np.testing.assert_array_equal(x.grad, [2.0, 40.0])
    assert x.grad.dtype == np.float64


@pytest.mark.parametrize("seed", [2, 2.0, np.float32(2), np.array(2.0)])
def test_a_scalar_takes_a_scalar_seed(seed):
    x = Variable([1.0, 2.0], np.float32)
    back((x * x).sum(), seed)
    np.testing.assert_array_equal(x.grad, [4.0, 8.0])
    assert x.grad.dtype == np.float32


def test_a_value_with_axes_needs_a_seed():
    x = Variable([1.0, 2.0])
    y = x * x
    with pytest.raises(NonScalarLossError, match=r"\(2,\).*seed"):
        back(y)
    assert x.grad is None
    back(y, [1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


@pytest.mark.parametrize("seed", [1, [1.0], [1.0, 2.0, 3.0], np.ones((1, 2)), np.ones((2, 1))])
def test_a_seed_of_another_shape_raises_and_changes_nothing(seed):
    x = Variable([1.0, 2.0])
    y = x * x
    with pytest.raises(DifferentiationError, match=r"seed.*\(2,\)"):
        back(y, seed)
    assert x.grad is None
    back(y, [1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


@pytest.mark.parametrize("untracked", [3.0, np.ones(2), None, Parameter([1.0]), "loss"])
def test_back_needs_a_tracked_value(untracked):
    with pytest.raises(DifferentiationError, match="Variable"):
        back(untracked)


def test_back_of_a_variable_itself_is_its_seed():
    x = Variable(2.0)
    back(x.value)
    assert x.grad == 1.0
    seed = np.array([3.0])
    y = Variable([5.0])
    back(+y, seed)
    np.testing.assert_array_equal(y.grad, seed)
    assert not np.shares_memory(y.grad, seed)


def test_a_record_is_freed_by_its_backward_pass():
    x = Variable([1.0, 2.0])
    y = (x * x).sum()
    back(y)
    with pytest.raises(FreedRecordError, match="forward pass again"):
        back(y)
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])
    assert value(y) == 5.0


def test_a_value_made_of_a_freed_one_cannot_go_back():
    x = Variable([1.0, 2.0])
    shared = x * x
    back(shared.sum())
    with pytest.raises(FreedRecordError):
        back((shared * 2).sum())
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_two_values_that_share_only_leaves_go_back_in_any_order():
    x = Variable([1.0, 2.0])
    y, z = (x * x).sum(), (3 * x).sum()
    back(z)
    back(y)
    np.testing.assert_array_equal(x.grad, [5.0, 7.0])


@pytest.mark.parametrize("recorded", ["parameter", "variable"])
@pytest.mark.parametrize("update", ["assignment", "optimizer"])
def test_an_update_between_forward_and_backward_raises_and_changes_nothing(recorded, update):
    x = Variable([1.0, 2.0]) if recorded == "variable" else Parameter([1.0, 2.0])
    other = Variable([1.0, 1.0])
    with record():
        y = (x * x * other).sum()
    if update == "assignment":
        x.value = [5.0, 6.0]
    else:
        optshare.SGD([x], lr=1.0).update([np.array([-4.0, -4.0])])
    with pytest.raises(StaleRecordError, match=r"\(2,\).*updated"):
        back(y)
    assert x.grad is None
    assert other.grad is None
    np.testing.assert_array_equal(x.stored, [5.0, 6.0])
    with record():
        again = (x * x * other).sum()
    back(again)
    np.testing.assert_array_equal(x.grad, [10.0, 12.0])


def test_an_update_of_a_parameter_that_the_value_does_not_depend_on_is_no_matter():
    x, y = Variable([1.0]), Variable([2.0])
    loss, _ = (x * x).sum(), (y * y).sum()
    y.value = [7.0]
    back(loss)
    np.testing.assert_array_equal(x.grad, [2.0])
    assert y.grad is None


def test_a_value_shared_by_two_paths_sends_the_sum_back():
    x = Variable(3.0)
    y = x * x
    back(y * y + y)
    np.testing.assert_allclose(x.grad, 4 * 27.0 + 6.0, rtol=1e-15)


def test_a_parameter_read_in_two_records_receives_both():
    p = Parameter([1.0, 2.0])
    with record():
        y = p * p
    with record():
        z = (y * p.value).sum()
    back(z)
    np.testing.assert_array_equal(p.grad, [3.0, 12.0])


def test_only_what_the_value_depends_on_receives_a_gradient():
    x, y = Variable([1.0]), Variable([2.0])
    back((x + 0 * x.value).sum())
    np.testing.assert_array_equal(x.grad, [1.0])
    assert y.grad is None


def test_float32_parameters_keep_float32_gradients_beside_float64():
    x = Variable(np.ones(2, np.float32))
    back((x * np.array([1.5, 2.5])).sum())
    assert x.grad.dtype == np.float32
    back((x * np.array([1.5, 2.5])).sum())
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [3.0, 5.0])


def test_an_optimizer_steps_after_back():
    p = Parameter([1.0, 2.0])
    opt = optshare.SGD([p], lr=0.5)
    with record():
        loss = (p * p).sum()
    back(loss)
    opt.step()
    np.testing.assert_array_equal(p.value, [0.0, 0.0])


def test_an_exception_while_recording_leaves_nothing_behind():
    p, x = Parameter([1.0]), Variable([1.0])

    def broken():
        with record():
            _ = p * x
            raise LookupError

    with pytest.raises(LookupError):
        broken()
    assert not optshare.recording()
    assert type(p.value) is np.ndarray
    assert (p.grad, x.grad) == (None, None)
    back((x * 2).sum())
    np.testing.assert_array_equal(x.grad, [2.0])


@pytest.mark.parametrize(
    "leak", [grad, lambda f: lambda x: differentiate(lambda: f(Variable(x) * 1))]
)
def test_a_value_that_escaped_its_differentiation_raises(leak):
    escaped = []

    def f(x):
        escaped.append(x * 2)
        return (x * x).sum()

    leak(f)(np.ones(2))
    for use in (lambda y: y + 1, lambda y: np.exp(y), lambda y: y.sum(), lambda y: y[0]):
        with pytest.raises(EscapedValueError, match="ended"):
            use(escaped[0])
    with pytest.raises(EscapedValueError, match="ended"):
        back(escaped[0], np.ones(2))
    np.testing.assert_array_equal(value(escaped[0]), [2.0, 2.0])
