"""differentiate, Result, value and gradient; and the tape beside the functional engine."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Buffer, Dropout, Parameter
from optshare.errors import NonScalarLossError, OptshareError, UnreachedParametersError
from optshare_arrays import Traceable, ops
from optshare_tape import Variable, back, checkpoint, differentiate, grad, gradient, record, value


def test_a_result_holds_the_value_and_the_gradients():
    w, b, unread = Parameter([1.0, 2.0]), Parameter(0.5), Parameter([9.0])
    result = differentiate(lambda x: (w * x).sum() + b, np.array([3.0, 4.0]))
    assert value(result) == result.value == 11.5
    assert not isinstance(value(result), Traceable)
    np.testing.assert_array_equal(gradient(result, w), [3.0, 4.0])
    np.testing.assert_array_equal(result.gradient(b), 1.0)
    assert gradient(result, unread) is None
    assert float(result) == 11.5
    assert "11.5" in repr(result)


def test_a_result_passes_arguments_and_keywords_on():
    w = Parameter([2.0])
    result = differentiate(lambda x, *, power: (w**power * x).sum(), 5.0, power=3)
    np.testing.assert_array_equal(gradient(result, w), [60.0])


def test_a_held_result_keeps_its_numbers_after_updates():
    w = Parameter([1.0, 2.0])
    result = differentiate(lambda: (w * w).sum())
    held = gradient(result, w)
    opt = optshare.SGD([w], lr=0.5)
    for _ in range(3):
        opt.update(w, gradient(result, w))
    np.testing.assert_array_equal(w.value, [-2.0, -4.0])
    np.testing.assert_array_equal(held, [2.0, 4.0])
    assert gradient(result, w) is held
    assert value(result) == 5.0


def test_a_value_that_is_the_parameter_itself_keeps_its_number_after_an_update():
    w = Parameter(3.0)
    result = differentiate(lambda: w.value)
    optshare.SGD([w], lr=1.0).update(w, gradient(result, w))
    assert (value(result), w.value) == (3.0, 2.0)


def test_a_held_result_keeps_its_gradient_when_back_accumulates():
    x = Variable([1.0])
    result = differentiate(lambda: (x * 3).sum())
    back((x * 2).sum())
    back((x * 2).sum())
    np.testing.assert_array_equal(gradient(result, x), [3.0])
    np.testing.assert_array_equal(x.grad, [4.0])


def test_differentiate_touches_no_grad():
    x, p = Variable([1.0]), Parameter([1.0])
    differentiate(lambda: (x * p).sum())
    assert (x.grad, p.grad) == (None, None)


def test_a_loss_with_axes_raises():
    w = Parameter([1.0, 2.0])
    with pytest.raises(NonScalarLossError, match=r"\(2,\)"):
        differentiate(lambda: w * 2)
    with pytest.raises(NonScalarLossError, match=r"\(2,\)"):
        differentiate(lambda: np.ones(2))


def test_a_loss_that_reads_no_parameter_has_no_gradients():
    w = Parameter([1.0])
    result = differentiate(lambda: 3.0)
    assert value(result) == 3.0
    assert gradient(result, w) is None


def test_a_frozen_parameter_has_no_gradient_and_takes_no_part():
    w, v = Parameter([1.0]), Parameter([2.0])
    optshare.freeze([w])
    result = differentiate(lambda: (w * v).sum())
    assert gradient(result, w) is None
    np.testing.assert_array_equal(gradient(result, v), [1.0])


def test_an_exception_leaves_nothing_behind():
    w, count = Parameter([1.0]), Buffer(0.0)

    def broken():
        count.value = count.value + 1
        _ = w * 2
        raise LookupError("mine")

    for run in (lambda: differentiate(broken), lambda: grad(lambda x: broken())(1.0)):
        with pytest.raises(LookupError, match="mine"):
            run()
        assert not optshare.recording()
        assert type(w.value) is np.ndarray
        assert count.stored == 0.0
    np.testing.assert_array_equal(gradient(differentiate(lambda: (w * w).sum()), w), [2.0])


def test_buffers_written_inside_are_plain_arrays_afterwards():
    w, mean = Parameter([1.0, 3.0]), Buffer(0.0)

    def loss():
        mean.value = ops.mean(w.value)
        return (w * mean.value).sum()

    result = differentiate(loss)
    assert mean.stored == 2.0
    assert not isinstance(mean.stored, Traceable)
    np.testing.assert_array_equal(gradient(result, w), [4.0, 4.0])


def test_a_parameter_cannot_be_assigned_inside():
    w = Parameter([1.0])

    def loss():
        w.value = [2.0]
        return (w * w).sum()

    with pytest.raises(OptshareError, match="being differentiated"):
        differentiate(loss)
    np.testing.assert_array_equal(w.value, [1.0])


@pytest.mark.parametrize("thing", [3.0, "text", None, [1.0]])
def test_value_of_anything_untracked_is_itself(thing):
    assert value(thing) is thing


def test_value_of_what_is_tracked_is_plain():
    x = Variable([1.0, 2.0])
    assert type(value(x)) is np.ndarray
    assert type(value(2 * x)) is np.ndarray
    assert type(value(Parameter([1.0]))) is np.ndarray


def test_gradient_of_a_function_is_parallel_to_its_arguments():
    found = gradient(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
    np.testing.assert_array_equal(found, [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]])
    assert gradient(lambda x, y: (x * x).sum(), [1.0], [2.0])[1] is None


def test_variables_may_be_arguments():
    v, w = Variable([1.0, 2.0]), Parameter([3.0, 4.0])
    dv, dw = gradient(lambda a, b: (a * a * b.value).sum(), v, w)
    assert type(dv) is type(dw) is np.ndarray
    np.testing.assert_array_equal(dv, [6.0, 16.0])
    np.testing.assert_array_equal(dw, [1.0, 4.0])
    assert v.grad is None


def test_gradient_runs_through_the_model_of_wrt_and_arguments_at_once():
    w, v = Parameter([1.0, 2.0]), Variable([3.0, 4.0])
    x = np.array([5.0, 6.0])
    found = optshare.gradient(lambda a: (a * w * v).sum(), x, wrt=(0, [w, v]))
    for key, expected in ((0, [3.0, 8.0]), (w, [15.0, 24.0]), (v, [5.0, 12.0])):
        assert type(found[key]) is np.ndarray
        np.testing.assert_array_equal(found[key], expected)


def test_a_loss_that_reads_none_of_wrt_raises():
    w = Parameter([1.0])
    with pytest.raises(UnreachedParametersError, match="none of the 1"):
        optshare.gradient(lambda: np.float64(3.0), wrt=w)


@pytest.mark.parametrize("order", range(1, 6))
def test_grad_nests_to_higher_orders(order):
    f, expected = np.sin, (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin)
    for _ in range(order):
        f = grad(f)
    np.testing.assert_allclose(f(0.7), expected[(order - 1) % 4](0.7), rtol=1e-13)


def test_perturbations_are_not_confused():
    assert grad(lambda x: x * grad(lambda y: x + y)(x))(5.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(5.0) == 10.0


def test_a_gradient_inside_a_loss_is_differentiated_for_parameters():
    w = Parameter([1.0, 2.0])

    def penalty():
        slope = grad(lambda x: (w.value * x**2).sum())(np.array([3.0, 4.0]))
        return ops.sum(slope * slope)  # (2 w x)**2

    result = differentiate(penalty)
    assert value(result) == 36.0 + 256.0
    np.testing.assert_array_equal(gradient(result, w), [72.0, 256.0])


# -- beside the functional engine --------------------------------------------------------------


def test_variables_are_constants_under_the_functional_engine_unless_in_wrt():
    v, x = Variable([1.0, 2.0]), np.array([3.0, 4.0])
    with optshare.use("functional"):
        (dx,) = optshare.gradient(lambda a: (a * v * v).sum(), x)
        assert type(dx) is np.ndarray
        np.testing.assert_array_equal(dx, [1.0, 4.0])
        val, found = optshare.value_and_gradient(lambda a: (a * v * v).sum(), x, wrt=v)
    assert not isinstance(val, Traceable)
    assert val == 19.0
    assert type(found[v]) is np.ndarray
    np.testing.assert_array_equal(found[v], [6.0, 16.0])
    assert v.grad is None


@pytest.mark.parametrize(
    "call", [lambda a, v: a * v, np.multiply, lambda a, v: np.stack([a * v, v])]
)
def test_variables_are_constants_whatever_function_they_enter(call):
    v, x = Variable([1.0, 2.0]), np.array([3.0, 4.0])
    for engine in (optshare_functional, optshare_tape):
        found = engine.grad(lambda a: ops.sum(call(a, v)))(x)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, [1.0, 2.0])


def test_the_tape_runs_inside_a_functional_differentiation():
    v = Variable([1.0, 2.0])

    def outer(a):
        return ops.sum(a * grad(lambda b: ops.sum(b**3))(a) * value(v))

    found = optshare_functional.grad(outer)(np.array([3.0, 4.0]))
    np.testing.assert_allclose(found, 9 * np.array([9.0, 16.0]) * [1.0, 2.0], rtol=1e-14)


def test_the_functional_engine_runs_inside_a_tape_differentiation():
    w = Parameter([3.0, 4.0])
    inner = optshare_functional.grad(lambda b: ops.sum(b**3))
    result = differentiate(lambda: ops.sum(w * inner(w.value)))
    np.testing.assert_allclose(gradient(result, w), 9 * w.value**2, rtol=1e-14)


def test_a_gradient_by_differentiate_is_differentiated_by_the_functional_engine():
    v, x = Variable([1.0, 2.0]), np.array([3.0, 4.0])

    def outer(a):
        result = differentiate(lambda: ops.sum(v * v * a))
        return ops.sum(gradient(result, v))

    np.testing.assert_array_equal(optshare_functional.grad(outer)(x), [2.0, 4.0])


def test_the_value_of_differentiate_is_differentiated_by_the_functional_engine():
    v, x = Variable([1.0, 2.0]), np.array([3.0, 4.0])
    found = optshare_functional.grad(lambda a: value(differentiate(lambda: ops.sum(v * v * a))))(x)
    np.testing.assert_array_equal(found, [1.0, 4.0])


def test_recording_ends_where_another_differentiation_begins():
    v = Variable([1.0, 2.0])
    with record():
        y = (v * v).sum()
        (dx,) = optshare_functional.gradient(lambda a: (a * a).sum(), [3.0])
    np.testing.assert_array_equal(dx, [6.0])
    back(y)
    np.testing.assert_array_equal(v.grad, [2.0, 4.0])


# -- checkpoint --------------------------------------------------------------------------------


def test_a_checkpoint_of_parameters_has_the_same_gradients():
    w = Parameter([1.0, 2.0])

    def layer(x):
        return ops.tanh(x * w.value) * w.value

    def loss(x):
        return ops.sum(checkpoint(layer, checkpoint(layer, x)))

    x = np.array([0.3, -0.4])
    found = gradient(differentiate(loss, x), w)
    expected = gradient(differentiate(lambda a: ops.sum(layer(layer(a))), x), w)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_checkpoint_of_a_variable_goes_back():
    x = Variable([1.0, 2.0])
    back(ops.sum(checkpoint(lambda a: a * a * x, x.value)))
    np.testing.assert_array_equal(x.grad, [3.0, 12.0])


def test_a_checkpoint_inside_record_goes_back_after_it():
    p, drop = Parameter(np.ones(32)), Dropout(0.5, seed=2)
    with record():
        y = checkpoint(lambda a: drop(a * p.value), np.ones(32))
        total = ops.sum(y)
    mask = value(y)
    back(total)
    np.testing.assert_array_equal(p.grad, mask)
    assert 0 < np.count_nonzero(mask) < 32


def test_an_update_between_a_checkpoint_and_back_raises():
    from optshare.errors import StaleRecordError

    p = Parameter([1.0])
    with record():
        y = ops.sum(checkpoint(lambda a: a * p.value, np.ones(1)))
    p.value = [2.0]
    with pytest.raises(StaleRecordError):
        back(y)


# -- threads -----------------------------------------------------------------------------------


def test_eight_threads_differentiate_one_model_at_once():
    w, start = Parameter(np.arange(1.0, 5.0)), Barrier(8)

    def work(k):
        start.wait()
        found = []
        for _ in range(50):
            result = differentiate(lambda x: (w * w * x).sum(), np.full(4, float(k)))
            found.append(gradient(result, w))
        return found

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(work, range(8))):
            for each in found:
                np.testing.assert_array_equal(each, 2.0 * k * np.arange(1.0, 5.0))
    assert not optshare.recording()


@pytest.mark.parametrize("wrong", ["w", 3, np.ones(2)])
def test_a_result_is_asked_for_parameters_only(wrong):
    x = Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="gradient of each Parameter"):
        gradient(differentiate(lambda: (x * x).sum()), wrong)
