"""One differentiation of the functional engine: what escapes, fails or runs in parallel."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

import optshare
import optshare_functional.trace
from optshare import Buffer, Parameter
from optshare.errors import DifferentiationError, EscapedValueError, UnreachedParametersError
from optshare_arrays import Traceable, ops
from optshare_functional import grad, gradient, jacobian, jvp, value_and_grad, vjp

X = np.array([0.3, -1.2, 0.7])


def escaped():
    kept = []
    grad(lambda x: (kept.append(x * 2), ops.sum(x))[1])(X)
    return kept[0]


@pytest.mark.parametrize(
    "use",
    [
        lambda y: y + 1,
        lambda y: 1 / y,
        np.exp,
        ops.sum,
        lambda y: y[0],
        lambda y: y.reshape(3, 1),
        lambda y: np.concatenate([y, y]),
        lambda y: grad(lambda x: ops.sum(x * y))(X),
        lambda y: grad(ops.sum)(y),
    ],
)
def test_a_tracer_that_escaped_raises(use):
    with pytest.raises(EscapedValueError, match=r"ended.*return it"):
        use(escaped())


def test_a_tracer_that_escaped_an_exception_raises():
    kept = []

    def broken(x):
        kept.append(x)
        raise LookupError

    with pytest.raises(LookupError):
        grad(broken)(X)
    with pytest.raises(EscapedValueError):
        _ = kept[0] * 2


def test_an_inner_tracer_that_escaped_to_the_outer_function_raises():
    def outer(x):
        kept = []
        grad(lambda y: (kept.append(y * x), ops.sum(y))[1])(X)
        return ops.sum(kept[0] * x)

    with pytest.raises(EscapedValueError):
        grad(outer)(X)


def test_an_exception_leaves_nothing_behind():
    w, count = Parameter(X), Buffer(0.0)

    def broken(x):
        count.value = count.value + 1
        _ = x * w
        raise LookupError("mine")

    with optshare.use("functional"):
        for wrt in (None, 0, (0, w)):
            with pytest.raises(LookupError, match="mine"):
                optshare.gradient(broken, X, wrt=wrt)
            assert not optshare.recording()
            assert type(w.value) is np.ndarray
            assert count.stored == 0.0
        np.testing.assert_array_equal(optshare.gradient(lambda: (w * w).sum(), wrt=w)[w], 2 * X)
    np.testing.assert_array_equal(grad(lambda x: ops.sum(x * x))(X), 2 * X)


def test_an_exception_inside_an_inner_differentiation_may_be_caught():
    def outer(x):
        with pytest.raises(LookupError):
            grad(lambda y: {}[y])(x)
        return ops.sum(x * x)

    with pytest.raises(LookupError):
        grad(lambda y: {}["missing"])(X)
    np.testing.assert_array_equal(grad(outer)(X), 2 * X)


def test_parameters_are_constants_unless_they_are_in_wrt():
    w, v = Parameter(X), Parameter(X + 1)
    with optshare.use("functional"):
        seen = []
        found = optshare.gradient(
            lambda x: (seen.append(v.value), ops.sum(x * w * v))[1], X, wrt=(0, w)
        )
    assert type(seen[0]) is np.ndarray
    np.testing.assert_array_equal(found[0], X * (X + 1))
    np.testing.assert_array_equal(found[w], X * (X + 1))
    (dx,) = gradient(lambda x: ops.sum(x * w.value), X)
    np.testing.assert_array_equal(dx, X)


def test_a_function_that_reads_none_of_its_parameters_raises():
    w = Parameter(X)
    with optshare.use("functional"), pytest.raises(UnreachedParametersError, match="none of the 1"):
        optshare.gradient(lambda: np.float64(1.0), wrt=w)


def test_a_parameter_that_is_read_but_not_used_has_no_gradient():
    w, v = Parameter(X), Parameter(X)
    with optshare.use("functional"):
        found = optshare.gradient(lambda: (v.value, ops.sum(w.value))[1], wrt=[w, v])
    np.testing.assert_array_equal(found[w], np.ones(3))
    assert found[v] is None


def test_the_value_and_the_gradients_are_plain():
    w = Parameter(X)
    with optshare.use("functional"):
        value, found = optshare.value_and_gradient(lambda x: ops.sum(x * w), X, wrt=(0, w))
    for each in (value, found[0], found[w]):
        assert not isinstance(each, Traceable)


def test_buffers_written_inside_are_plain_arrays_afterwards():
    mean = Buffer(np.zeros(3))

    def f(x):
        mean.value = x * 2
        return ops.sum(x * mean.value)

    np.testing.assert_array_equal(grad(f)(X), 4 * X)
    assert type(mean.stored) is np.ndarray
    np.testing.assert_array_equal(mean.stored, 2 * X)


def test_a_buffer_written_inside_an_inner_differentiation_stays_tracked_by_the_outer():
    state = Buffer(0.0)

    def outer(x):
        def inner(y):
            state.value = x * 3
            return y * y

        grad(inner)(1.0)
        return state.value * x

    assert grad(outer)(2.0) == 12.0
    assert state.stored == 6.0


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: lambda x: vjp(f, x),
        lambda f: lambda x: jvp(f, (x,), (1.0,)),
        jacobian,
    ],
    ids=["vjp", "jvp", "jacobian"],
)
def test_a_buffer_written_inside_a_transform_is_tracked_by_the_outside_only(transform):
    state = Buffer(0.0)

    def outer(x):
        def inner(y):
            state.value = x * 3 + 0 * y
            return y * y

        transform(inner)(1.0)
        return state.value * x

    assert grad(outer)(2.0) == 12.0
    assert type(state.stored) is np.ndarray
    assert state.stored == 6.0


def test_an_input_is_never_written():
    x = X.copy()
    x.flags.writeable = False
    found = grad(lambda a: ops.sum((a + a) * a[::-1]))(x)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(found, 4 * X[::-1], rtol=1e-15)


def test_one_array_given_twice_is_two_arguments():
    found = gradient(lambda a, b: ops.sum(a * b * b), X, X)
    np.testing.assert_allclose(found[0], X * X, rtol=1e-15)
    np.testing.assert_allclose(found[1], 2 * X * X, rtol=1e-15)
    assert not np.shares_memory(*found)


def test_a_pullback_outlives_its_function_and_its_arguments():
    x = X.copy()
    _, pullback = vjp(lambda a: a * a, x)
    expected = 2 * x
    del x
    np.testing.assert_array_equal(pullback(np.ones(3))[0], expected)


def test_eight_threads_differentiate_at_once():
    w, start = Parameter(X), Barrier(8)

    def work(k):
        start.wait()
        found = []
        for _ in range(50):
            found.append(grad(grad(lambda x: x**3 * k))(2.0))
            model = value_and_grad(lambda x: ops.sum(x * w.value) * k)(X)
            found.append(model[1].sum())
        return found

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(work, range(8))):
            np.testing.assert_array_equal(found[::2], [12.0 * k] * 50)
            np.testing.assert_allclose(found[1::2], [X.sum() * k] * 50, rtol=1e-14)


def test_eight_threads_differentiate_one_model_at_once():
    w, start = Parameter(X), Barrier(8)

    def work(k):
        start.wait()
        with optshare.use("functional"):
            found = [optshare.gradient(lambda: (w * w).sum() * k, wrt=w)[w] for _ in range(50)]
        return found

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(work, range(8))):
            for each in found:
                np.testing.assert_allclose(each, 2.0 * k * X, rtol=1e-15)
    assert type(w.value) is np.ndarray


def test_a_thread_started_inside_a_loss_sees_the_differentiation_through_propagate():
    w = Parameter(X)

    def loss():
        with ThreadPoolExecutor(1) as pool:
            bound = pool.submit(optshare.propagate(lambda: ops.sum(w.value**2))).result()
            assert type(pool.submit(lambda: w.value).result()) is np.ndarray
        return bound

    with optshare.use("functional"):
        np.testing.assert_array_equal(optshare.gradient(loss, wrt=w)[w], 2 * X)


@pytest.mark.parametrize("several", [lambda x: (x, 2 * x), lambda x: [x], lambda x: {"y": x}])
def test_the_backends_own_vjp_refuses_a_function_of_several_results(several):
    with pytest.raises(DifferentiationError, match="returns one array"):
        optshare_functional.trace.vjp(several, np.ones(2))
