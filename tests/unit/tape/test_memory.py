"""What a differentiation allocates dies with its result; gradients are the caller's own."""

import contextlib
import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Parameter
from optshare_arrays import Leaf, Primitive, Scope, Tracked, ops
from optshare_tape import Variable, back, checkpoint, differentiate, gradient, record

ENGINES = [optshare_tape, optshare_functional]


@pytest.fixture
def no_collector():
    """Reference counting alone; fails if the collector finds anything afterwards."""
    optshare.registry.descriptions()  # the scan of the entry points leaves cycles of its own
    gc.collect()
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()


def alive(kind):
    return sum(issubclass(type(each), kind) for each in gc.get_objects())


class Watched(np.ndarray):
    """An array that weak references can watch."""


class Watch(Primitive):
    """The identity, with weak references to the arrays that it made."""

    def __init__(self):
        self.passed = passed = []

        def forward(x):
            made = np.array(x).view(Watched)
            passed.append(weakref.ref(made))
            return made

        super().__init__(forward, [lambda g, y, x: g * 1.0], name="watch")

    def alive(self):
        return sum(each() is not None for each in self.passed)


def test_a_chain_of_300000_operations_is_dropped_without_recursion():
    x = Variable(1.0)
    y = x * 1.0
    for _ in range(300_000):
        y = y + 1.0
    before = alive(list)
    assert before >= 300_000
    del y
    assert alive(list) <= before - 300_000


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chain_of_300000_operations_is_differentiated_without_recursion(engine):
    def f(x):
        for _ in range(300_000):
            x = x + 1.0
        return x * x

    assert engine.grad(f)(1.0) == 2 * 300_001.0


def test_a_deep_record_goes_back_without_recursion():
    x = Variable(2.0)
    y = x * x
    for _ in range(50_000):
        y = y * 1.0
    back(y)
    assert x.grad == 4.0


def losses():
    """Differentiations of every kind, each leaving nothing behind."""
    p, v = Parameter([1.0, 2.0]), Variable([3.0, 4.0])

    def recorded():
        with record():
            y = (p * p * v).sum()
        back(y)

    def model():
        net = optshare.Chain(optshare.Dense(2, 3, optshare.relu), optshare.Dense(3, 1))
        opt = optshare.Adam(net)
        opt.step(lambda x: ops.sum(net(x) ** 2), np.ones((4, 2), np.float32))

    def failing():
        def broken(x):
            _ = x * x
            raise LookupError

        for engine in ENGINES:
            with contextlib.suppress(LookupError):
                engine.grad(broken)(1.0)

    return {
        "recorded": recorded,
        "differentiate": lambda: differentiate(lambda: (p * v).sum()),
        "a result": lambda: gradient(differentiate(lambda: (p * v).sum()), p),
        "dropped before back": lambda: (v * v).sum(),
        "tape.grad": lambda: optshare_tape.grad(np.sin)(1.0),
        "tape.grad twice": lambda: optshare_tape.grad(optshare_tape.grad(np.sin))(1.0),
        "functional.grad": lambda: optshare_functional.grad(np.sin)(1.0),
        "functional.grad twice": lambda: optshare_functional.grad(optshare_functional.grad(np.sin))(
            1.0
        ),
        "vjp": lambda: optshare_functional.vjp(np.sin, 1.0)[1](1.0),
        "jvp": lambda: optshare_functional.jvp(np.sin, [1.0], [1.0]),
        "hvp": lambda: optshare_functional.hvp(lambda x: (x**3).sum(), [1.0, 2.0], [1.0, 0.0]),
        "hessian": lambda: optshare_functional.hessian(lambda x: (x**3).sum())([1.0, 2.0]),
        "tape.checkpoint": lambda: optshare_tape.grad(lambda x: checkpoint(np.sin, x))(1.0),
        "functional.checkpoint": lambda: optshare_functional.grad(
            optshare_functional.checkpoint(np.sin)
        )(1.0),
        "a model": model,
        "an exception": failing,
    }


@pytest.mark.parametrize("name", losses())
def test_a_differentiation_makes_no_reference_cycle(name, no_collector):
    run = losses()[name]
    run()  # caches fill once
    gc.collect()
    before = alive((Tracked, Leaf, Scope))
    run()
    assert alive((Tracked, Leaf, Scope)) <= before
    del run


@pytest.mark.parametrize("engine", ENGINES)
def test_intermediates_die_with_the_differentiation(engine, no_collector):
    watch = Watch()
    gradient = engine.grad(lambda x: ops.sum(watch(watch(x * 2) * 3) ** 2))(np.ones(3))
    np.testing.assert_array_equal(gradient, [72.0] * 3)
    assert len(watch.passed) == 2
    assert watch.alive() == 0


def test_a_trace_dies_with_its_pullback(no_collector):
    watch = Watch()
    _, pullback = optshare_functional.vjp(lambda x: watch(x * 2) ** 2, np.ones(3))
    assert watch.alive() == 1
    np.testing.assert_array_equal(pullback(np.ones(3))[0], [8.0] * 3)
    assert watch.alive() == 1
    del pullback
    assert watch.alive() == 0


def test_a_recorded_value_that_nobody_holds_is_freed_at_once(no_collector):
    watch, x = Watch(), Variable(np.ones(3))
    y = watch(x * 2) ** 2
    z = y.sum()
    del y
    assert watch.alive() == 1
    del z
    assert watch.alive() == 0


def test_a_value_that_no_derivative_needs_is_not_kept(no_collector):
    watch, x = Watch(), Variable(np.ones(3))
    y = (watch(x * 2) * 3 + 1).sum()
    assert watch.alive() == 0
    back(y)
    np.testing.assert_array_equal(x.grad, [6.0] * 3)


def test_what_was_recorded_is_freed_by_back_although_the_value_is_held(no_collector):
    watch, x = Watch(), Variable(np.ones(3))
    y = (watch(watch(x * 2) ** 2) ** 2).sum()
    assert watch.alive() == 2
    back(y)
    assert watch.alive() == 0
    np.testing.assert_array_equal(x.grad, [64.0] * 3)


def test_intermediates_are_freed_during_the_backward_pass(no_collector):
    watch, x, seen = Watch(), Variable(np.ones(3)), []

    def note(g, y, x):
        seen.append(watch.alive())
        return g * 1.0

    noting = Primitive(lambda x: x * 1.0, [note], name="noting")
    y = x * 1.0
    for _ in range(5):
        y = noting(watch(y) ** 2)
    total = y.sum()
    del y
    back(total)
    assert seen == [5, 4, 3, 2, 1]


def test_a_tape_needs_no_more_memory_backwards_than_forwards():
    x = Variable(np.ones(100_000))
    size = 100_000 * 8
    y = x * 1.0
    for _ in range(20):
        y = y * 1.01
    total = y.sum()
    del y
    tracemalloc.start()
    back(total)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * size


def test_a_checkpoint_keeps_no_intermediate_value(no_collector):
    for engine in ENGINES:
        watch, kept = Watch(), []

        def f(x, watch=watch):
            return watch(watch(x * 2) * 3) ** 2

        def loss(x, f=f, watch=watch, kept=kept, engine=engine):
            y = checkpoint(f, x) if engine is optshare_tape else engine.checkpoint(f)(x)
            kept.append(watch.alive())
            return ops.sum(y)

        np.testing.assert_array_equal(engine.grad(loss)(np.ones(3)), [72.0] * 3)
        assert kept == [0]
        assert len(watch.passed) == 4


# -- gradients are the caller's own -------------------------------------------------------------

X = np.array([[1.0, 2.0], [3.0, 4.0]])
SHARING = {
    "identity": lambda x, y: x,
    "plus": lambda x, y: +x,
    "sum of two": lambda x, y: x + y,
    "same twice": lambda x, y: x + x + y,
    "reshape": lambda x, y: x.reshape(2, 2) + y.T,
    "a view": lambda x, y: x[:] + y[...],
    "difference": lambda x, y: x - y,
    "concat": lambda x, y: np.concatenate([x, y])[:2] + np.concatenate([x, y])[2:],
    "product": lambda x, y: x * y,
    "where": lambda x, y: np.where(True, x, y),
    "broadcast": lambda x, y: np.broadcast_to(x[0], (2, 2)) + y.sum(),
    "one": lambda x, y: x**1 * y**0,
    "astype": lambda x, y: x.astype(np.float64) + y,
}


@pytest.mark.parametrize("name", SHARING)
def test_gradients_are_writable_and_share_memory_with_nothing(name):
    f = SHARING[name]
    x, y, seed = X.copy(), X + 1, np.ones((2, 2))
    value, pullback = optshare_functional.vjp(f, x, y)
    first, second = pullback(seed), pullback(seed)
    variables = Variable(x), Variable(y)
    output = f(*(v.value for v in variables))
    back(output, seed)
    taped = [v.grad for v in variables]
    weighted = optshare_functional.gradient(lambda a, b: ops.sum(f(a, b)), x, y)
    stored = [v.stored for v in variables]
    gradients = [g for g in (*first, *second, *taped, *weighted) if g is not None]
    others = [x, y, seed, np.asarray(value), np.asarray(output.value), *stored]
    for place, each in enumerate(gradients):
        assert type(each) is np.ndarray
        assert each.flags.writeable
        for other in [*gradients[:place], *others]:
            assert not np.shares_memory(each, other)


def test_writing_into_a_gradient_changes_nothing_else():
    x = Variable([1.0, 2.0])
    seed = np.array([3.0, 4.0])
    back(x.value, seed)
    x.grad[:] = 0.0
    np.testing.assert_array_equal(seed, [3.0, 4.0])
    np.testing.assert_array_equal(x.stored, [1.0, 2.0])


def test_a_gradient_is_not_the_seed_that_the_caller_may_reuse():
    x, y = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    seed = np.array([3.0, 4.0])
    back(x + y, seed)
    seed[:] = 0.0
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])
    np.testing.assert_array_equal(y.grad, [3.0, 4.0])
