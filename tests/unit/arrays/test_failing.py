"""What an exception, or another thread, leaves of a differentiation: nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import optshare
from optshare import Buffer, Chain, Dense, Dropout, Parameter, params, tanh
from optshare.errors import DifferentiationError, NoDerivativeError
from optshare.overlay import current
from optshare_arrays import Traceable, ops
from optshare_tape import Variable, back, differentiate, gradient, primitive, record

X = np.array([0.3, -1.2, 0.7])


@primitive
def fragile(x):
    """Itself; its derivative fails."""
    return x * 1.0


def fails(g, y, x):
    raise LookupError("in the backward pass")


fragile.defvjp(fails)


def in_forward(x):
    _ = x * x
    raise LookupError("in the forward pass")


def in_backward(x):
    return ops.sum(fragile(x * x))


FAILING = {"forward": in_forward, "backward": in_backward}


def assert_untouched(w, count):
    """Nothing is being differentiated, and Parameters and Buffers are as they were."""
    assert current() is None
    assert type(w.value) is np.ndarray
    np.testing.assert_array_equal(w.value, X)
    assert (w.grad, count.stored) == (None, 0.0)
    w.value = X  # it may be written


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_an_exception_at_any_depth_leaves_nothing_behind(name, levels, engine):
    w, count = Parameter(X), Buffer(0.0)

    def f(x):
        count.value = count.value + 1
        return FAILING[name](x * w.value)

    for _ in range(levels):
        f = engine.grad(lambda x, f=f: ops.sum(f(x)))
    with pytest.raises(LookupError, match=name):
        f(X)
    assert_untouched(w, count)
    np.testing.assert_array_equal(engine.grad(lambda x: ops.sum(x * w.value))(X), X)


@pytest.mark.parametrize("name", FAILING)
def test_an_exception_in_a_step_changes_neither_model_nor_optimizer(name, engine, unchanged):
    w, count = Parameter(X), Buffer(0.0)
    opt = optshare.Adam([w], lr=0.1)
    name_of_engine = engine.__name__.removeprefix("optshare_")
    with (
        optshare.use(name_of_engine),
        unchanged([w, count], opt),
        pytest.raises(LookupError, match=name),
    ):
        opt.step(lambda: FAILING[name](w.value))
    assert_untouched(w, count)


@pytest.mark.parametrize("name", FAILING)
def test_an_exception_under_record_leaves_variables_usable(name):
    x = Variable(X)
    for higher_order in (False, True):
        with pytest.raises(LookupError, match=name):
            back(FAILING[name](x.value), higher_order=higher_order)
        with pytest.raises(LookupError, match=name):
            differentiate(lambda: FAILING[name](x.value), higher_order=higher_order)
        with pytest.raises(LookupError, match=name), record():
            back(FAILING[name](x.value), higher_order=higher_order)
        assert current() is None
        assert x.grad is None
    back((x * x).sum())
    np.testing.assert_array_equal(x.grad, 2 * X)


def test_a_failed_backward_pass_adds_to_no_gradient():
    x, y = Variable(X), Variable(X)
    back((x * y).sum())
    z = (fragile(x) * y).sum() + (y * 3).sum()
    with pytest.raises(LookupError):
        back(z)
    np.testing.assert_array_equal(x.grad, X)
    np.testing.assert_array_equal(y.grad, X)


def test_a_failure_inside_is_caught_and_the_rest_is_differentiated(engine):
    def f(x):
        for name, each in FAILING.items():
            with pytest.raises(LookupError, match=name):
                engine.grad(each)(x)
        with pytest.raises(NoDerivativeError, match="i0"):
            np.i0(x)
        with pytest.raises(DifferentiationError):
            engine.grad(lambda y: y * x)(x)
        return ops.sum(x * x)

    np.testing.assert_array_equal(engine.grad(f)(X), 2 * X)


def test_a_failure_in_one_thread_is_no_matter_for_the_others(engine):
    w, start = Parameter(X), threading.Barrier(8)

    def work(k):
        start.wait()
        found = []
        for _ in range(30):
            if k % 2:
                with pytest.raises(LookupError):
                    engine.grad(lambda x: FAILING["backward"](x * w.value))(X)
                with pytest.raises(LookupError):
                    engine.grad(lambda x: FAILING["forward"](x * w.value))(X)
            found.append(engine.grad(lambda x: ops.sum(x * x * w.value) * k)(X))
            assert current() is None
        return found

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(work, range(8))):
            for each in found:
                np.testing.assert_allclose(each, 2 * k * X * X, rtol=1e-15)


def test_eight_threads_differentiate_one_deep_model_with_exact_results(engine):
    model = Chain(Dense(3, 8, tanh, dtype=np.float64), Dense(8, 1, dtype=np.float64), np.sum)
    batches = [np.random.default_rng(k).normal(size=(4, 3)) for k in range(8)]
    expected = [list(engine.grad(model)(batch)) for batch in batches]
    start = threading.Barrier(8)

    def work(k):
        start.wait()
        return [list(engine.grad(model)(batches[k])) for _ in range(30)]

    with ThreadPoolExecutor(8) as pool:
        for k, runs in enumerate(pool.map(work, range(8))):
            for found in runs:
                for one, other in zip(found, expected[k], strict=True):
                    np.testing.assert_array_equal(one, other)
    assert all(type(each.value) is np.ndarray for each in params(model))


def test_eight_threads_add_to_one_gradient():
    x, start = Variable(np.arange(4.0)), threading.Barrier(8)

    def work(k):
        start.wait()
        for _ in range(200):
            back((x * float(k)).sum())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    np.testing.assert_array_equal(x.grad, np.full(4, 200.0 * 28))


class Slow(np.ndarray):
    """An array whose additions let other threads run."""

    def __add__(self, other):
        old = np.asarray(self).copy()
        time.sleep(0.005)
        return (old + other).view(Slow)


def test_a_gradient_that_another_thread_adds_to_is_not_lost():
    x, start = Variable(np.ones(2)), threading.Barrier(8)
    x.grad = np.zeros(2).view(Slow)

    def work(k):
        start.wait()
        back((x * float(k)).sum())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    np.testing.assert_array_equal(x.grad, [28.0, 28.0])


def test_threads_take_higher_orders_each_of_its_own():
    start = threading.Barrier(8)

    def work(k):
        x = Variable(float(k))
        start.wait()
        for _ in range(30):
            x.zero_grad()
            result = differentiate(lambda: x**4, higher_order=True)
            back(gradient(result, x) * 2)
        return x.grad

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(work, range(8))):
            assert not isinstance(found, Traceable)
            assert found == 24.0 * k**2


def test_a_thread_inside_a_loss_draws_its_mask_apart(engine):
    """A new thread starts in an empty context: nothing is recorded there."""
    drop, seen = Dropout(0.5, seed=1), []

    def f(x):
        worker = threading.Thread(target=lambda: seen.append(drop(np.ones(32))))
        worker.start()
        worker.join()
        return ops.sum(x)

    engine.grad(f)(X)
    np.testing.assert_array_equal(seen, [np.ones(32)])
