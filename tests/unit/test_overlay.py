import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

import optshare
import optshare_tape
from optshare import Buffer, Parameter
from optshare.errors import (
    DifferentiationError,
    EscapedValueError,
    OptshareError,
    ParameterError,
    StaleRecordError,
)
from optshare_arrays import Scope, Traceable


@pytest.fixture
def p():
    return Parameter([1.0, 2.0])


@pytest.fixture
def recorded(monkeypatch):
    """What the engines do to record: they begin a differentiation, make leaves, append."""
    log = []

    def spy(name):
        plain = getattr(Scope, name)

        def noted(self, *args, **kwargs):
            log.append(name)
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(Scope, name, noted)

    for name in ("__init__", "leaf", "record", "record_one", "record_pair"):
        spy(name)
    return log


# -- outside -----------------------------------------------------------------------------------


def test_a_plain_call_gives_plain_arrays_and_records_nothing(backend, recorded):
    model = optshare.Chain(optshare.Dense(3, 4, optshare.relu), optshare.Dense(4, 2))
    x, y = np.ones((5, 3), np.float32), np.zeros(5, int)
    assert type(model(x)) is np.ndarray
    assert isinstance(optshare.nll(model(x), y), np.floating)
    assert type(2 * model[0].weight) is np.ndarray
    assert recorded == []


def test_the_spy_on_records_sees_a_differentiation(backend, recorded, p):
    optshare.gradient(lambda: (p * p).sum(), wrt=p)
    assert len(recorded) >= 3


def test_step_gives_the_loss_as_a_plain_scalar(backend, p):
    loss = optshare.SGD([p]).step(lambda: (p * p).sum())
    assert isinstance(loss, np.float64)
    assert loss == 5.0


def test_recording_is_true_only_while_an_engine_differentiates(backend, p):
    seen = []

    def loss():
        seen.append(optshare.recording())
        return (p * p).sum()

    loss()
    optshare.gradient(loss, wrt=p)
    optshare.SGD([p]).step(loss)
    loss()
    assert seen == [False, True, True, False]


def test_a_parameter_reads_as_tracked_inside_and_as_plain_afterwards(backend, p):
    seen = []

    def loss():
        seen.append(p.value)
        return (p.value * p.value).sum()

    optshare.gradient(loss, wrt=p)
    assert isinstance(seen[0], Traceable)
    assert type(p.value) is np.ndarray


def test_a_parameter_outside_wrt_reads_as_plain(backend, p):
    q, seen = Parameter([1.0, 1.0]), []

    def loss():
        seen.append(q.value)
        return (p * q).sum()

    optshare.gradient(loss, wrt=p)
    assert type(seen[0]) is np.ndarray


def test_a_tracked_value_cannot_be_used_after_its_differentiation(backend, p):
    kept = []

    def loss():
        kept.append(p.value)
        return (p * p).sum()

    optshare.gradient(loss, wrt=p)
    with pytest.raises(EscapedValueError, match="ended"):
        kept[0] * 2


# -- exceptions --------------------------------------------------------------------------------


def test_an_exception_in_the_loss_leaves_nothing_behind(backend, p, unchanged):
    buffer, opt = Buffer([0.0]), optshare.Adam([p])

    def loss():
        buffer.value = buffer.value + 1.0
        _ = (p * p).sum()
        raise ZeroDivisionError("in the loss")

    with unchanged([p, buffer], opt), pytest.raises(ZeroDivisionError):
        opt.step(loss)
    assert not optshare.recording()
    assert type(p.value) is np.ndarray
    assert optshare.gradient(lambda: (p * p).sum(), wrt=p)[p].tolist() == [2.0, 4.0]


def test_an_exception_in_an_inner_differentiation_leaves_the_outer_one_going(backend, p):
    def loss():
        with pytest.raises(ZeroDivisionError):
            optshare.gradient(lambda: p.value.sum() / (1 // 0), wrt=p)
        return (p * p).sum()

    assert optshare.gradient(loss, wrt=p)[p].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_not_even_an_interrupt_leaves_a_trace(backend, p, kind):
    def loss():
        _ = p.value * 2
        raise kind

    with pytest.raises(kind):
        optshare.gradient(loss, wrt=p)
    assert not optshare.recording()


# -- nesting -----------------------------------------------------------------------------------


def test_a_differentiation_inside_another_gives_second_derivatives(backend, p):
    def outer():
        inner = optshare.gradient(lambda: (p.value**3).sum(), wrt=p)[p]
        return inner.sum()

    assert optshare.gradient(outer, wrt=p)[p].tolist() == [6.0, 12.0]


def test_an_inner_differentiation_for_another_parameter_sees_the_outer_one_as_tracked(backend, p):
    q = Parameter([3.0, 4.0])

    def outer():
        return (optshare.gradient(lambda: (p * p * q * q).sum(), wrt=q)[q]).sum()

    assert optshare.gradient(outer, wrt=p)[p].tolist() == [12.0, 32.0]


# -- Buffers -----------------------------------------------------------------------------------


def test_a_buffer_written_in_a_trace_reads_back_inside_and_is_plain_afterwards(backend, p):
    buffer, seen = Buffer([0.0, 0.0]), []

    def loss():
        buffer.value = buffer.value + p.value
        seen.append(buffer.value)
        buffer.value = buffer.value * 10.0
        return (p * p).sum()

    optshare.gradient(loss, wrt=p)
    assert isinstance(seen[0], Traceable)
    assert type(buffer.value) is np.ndarray
    assert buffer.value.tolist() == [10.0, 20.0]


def test_a_buffer_written_in_a_trace_is_not_written_until_it_ends(backend, p):
    buffer = Buffer([0.0])

    def loss():
        buffer.value = np.array([1.0])
        assert buffer.stored.tolist() == [0.0]
        return (p * p).sum()

    optshare.gradient(loss, wrt=p)
    assert buffer.value.tolist() == [1.0]


def test_a_buffer_written_in_an_inner_trace_reaches_the_outer_one_and_then_the_buffer(backend, p):
    buffer, seen = Buffer([0.0, 0.0]), []

    def inner():
        buffer.value = p.value * 2.0
        return (p.value**3).sum()

    def outer():
        g = optshare.gradient(inner, wrt=p)[p]
        seen.append(optshare_tape.value(buffer.value).tolist())
        assert buffer.stored.tolist() == [0.0, 0.0]
        return g.sum()

    optshare.gradient(outer, wrt=p)
    assert seen == [[2.0, 4.0]]
    assert buffer.value.tolist() == [2.0, 4.0]
    assert type(buffer.value) is np.ndarray


def test_a_buffer_written_in_a_trace_shares_no_memory_with_a_parameter(backend, p):
    average = Buffer([0.0, 0.0])

    def loss():
        average.value = p.value
        return (p * p).sum()

    optshare.SGD([p], lr=0.25).step(loss)
    assert p.value.tolist() == [0.5, 1.0]
    assert average.value.tolist() == [1.0, 2.0]


def test_a_buffer_written_in_a_trace_shares_no_memory_with_the_callers_array(backend, p):
    buffer, array = Buffer([0.0, 0.0]), np.array([1.0, 2.0])

    def loss():
        buffer.value = array
        return (p * p).sum()

    optshare.gradient(loss, wrt=p)
    array[0] = 9.0
    assert buffer.value.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(2, np.float32)])
def test_a_buffer_refuses_another_shape_and_dtype_in_a_trace_too(backend, p, wrong):
    buffer = Buffer([1.0, 2.0])

    def loss():
        buffer.value = wrong
        return (p * p).sum()

    with pytest.raises(ParameterError, match="migrate"):
        optshare.gradient(loss, wrt=p)
    assert buffer.value.tolist() == [1.0, 2.0]


# -- writing what is being differentiated ------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda p, opt: setattr(p, "value", [5.0, 5.0]),
        lambda p, opt: p.migrate([5.0]),
        lambda p, opt: opt.update(p, np.ones(2)),
        lambda p, opt: opt.update([np.ones(2)]),
        lambda p, opt: opt.step(lambda: (p * p).sum()),
        lambda p, opt: opt.step(),
    ],
)
def test_writing_a_parameter_inside_a_loss_is_refused(backend, p, write, unchanged):
    opt = optshare.SGD([p], lr=0.1, momentum=0.9)
    p.grad = np.ones(2)

    def loss():
        write(p, opt)
        return (p * p).sum()

    with unchanged([p], opt), pytest.raises(ParameterError, match="differentiated"):
        optshare.gradient(loss, wrt=p)


def test_writing_a_parameter_inside_record_makes_what_was_recorded_stale(p):
    opt = optshare.SGD([p], lr=0.5)
    with optshare.record():
        y = (p * p).sum()
        opt.update(p, np.ones(2))
        with pytest.raises(StaleRecordError):
            optshare_tape.back(y)
        optshare_tape.back((p * p).sum())
    np.testing.assert_array_equal(p.grad, 2 * p.value)


@pytest.mark.parametrize(
    "write",
    [
        lambda p, opt: opt.update(p, np.ones(2)),
        lambda p, opt: setattr(p, "value", [5.0, 5.0]),
    ],
)
def test_no_grad_inside_a_loss_does_not_open_a_way_to_write(backend, p, write, unchanged):
    opt = optshare.SGD([p], lr=0.5)

    def loss():
        y = (p * p).sum()
        with optshare_tape.no_grad():
            write(p, opt)
        return y

    with unchanged([p], opt), pytest.raises(OptshareError):
        optshare.gradient(loss, wrt=p)


def test_no_grad_allows_writing_where_nothing_is_differentiated(p):
    with optshare_tape.no_grad():
        p.value = [5.0, 6.0]
    assert p.value.tolist() == [5.0, 6.0]


# -- threads, tasks and generators -------------------------------------------------------------


def test_two_threads_differentiate_one_model_at_once_with_exact_results(backend):
    w, buffer = Parameter([1.0, 2.0, 3.0]), Buffer(np.zeros(3))
    both_inside = threading.Barrier(2, timeout=30)

    def work(x):
        def loss():
            y = (w * x * w).sum()
            both_inside.wait()
            buffer.value = x
            y = y + (w * x).sum()
            both_inside.wait()
            return y

        with optshare.use(backend):
            return [optshare.gradient(loss, wrt=w)[w].tolist() for _ in range(20)]

    with ThreadPoolExecutor(2) as pool:
        ones = pool.submit(work, np.ones(3))
        tens = pool.submit(work, np.full(3, 10.0))
        assert ones.result(60) == [[3.0, 5.0, 7.0]] * 20
        assert tens.result(60) == [[30.0, 50.0, 70.0]] * 20
    assert type(w.value) is np.ndarray


def test_a_thread_does_not_see_what_another_differentiates(backend, p):
    inside, go_on = threading.Event(), threading.Event()

    def loss():
        inside.set()
        assert go_on.wait(30)
        return (p * p).sum()

    def work():
        with optshare.use(backend):
            return optshare.gradient(loss, wrt=p)[p].tolist()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(work)
        assert inside.wait(30)
        assert not optshare.recording()
        assert type(p.value) is np.ndarray
        go_on.set()
        assert result.result(30) == [2.0, 4.0]


def test_a_thread_started_inside_a_loss_sees_plain_arrays(backend, p):
    seen = []

    def loss():
        thread = threading.Thread(target=lambda: seen.append((p.value, optshare.recording())))
        thread.start()
        thread.join()
        return (p * p).sum()

    optshare.gradient(loss, wrt=p)
    assert type(seen[0][0]) is np.ndarray
    assert seen[0][1] is False


def test_propagate_carries_the_differentiation_into_threads(backend, p):
    def loss():
        with ThreadPoolExecutor(2) as pool:
            square = optshare.propagate(lambda scale: (p * p).sum() * scale)
            parts = list(pool.map(square, [1.0, 10.0]))
        return parts[0] + parts[1]

    assert optshare.gradient(loss, wrt=p)[p].tolist() == [22.0, 44.0]


def test_threads_inside_one_loss_record_at_once_with_exact_results(backend, p):
    def chain(scale):
        y = p.value
        for _ in range(300):
            y = y + p.value
        return (y * scale).sum()

    def loss():
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(optshare.propagate(chain), [1.0, 2.0, 4.0, 8.0]))
        return parts[0] + parts[1] + parts[2] + parts[3]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        found = [optshare.gradient(loss, wrt=p)[p].tolist() for _ in range(5)]
    finally:
        sys.setswitchinterval(before)
    assert found == [[301.0 * 15.0] * 2] * 5


def test_propagate_outside_a_differentiation_is_the_function_itself(p):
    assert optshare.propagate(lambda x, y=1: x + y)(2, y=3) == 5
    with optshare.record():
        carried = optshare.propagate(optshare.recording)
    assert carried() is True
    assert not optshare.recording()


def test_a_generator_that_outlives_the_loss_reads_plain_arrays(backend, p):
    def rows():
        while True:
            yield p.value

    generators = []

    def loss():
        generators.append(rows())
        first = next(generators[0])
        assert isinstance(first, Traceable)
        return (first * first).sum()

    assert optshare.gradient(loss, wrt=p)[p].tolist() == [2.0, 4.0]
    assert type(next(generators[0])) is np.ndarray
    assert not optshare.recording()


def test_a_generator_begun_before_the_loss_reads_tracked_values_inside(backend, p):
    def rows():
        while True:
            yield p.value

    generator = rows()
    assert type(next(generator)) is np.ndarray
    g = optshare.gradient(lambda: (next(generator) * 3.0).sum(), wrt=p)
    assert g[p].tolist() == [3.0, 3.0]


def test_minibatches_hold_no_differentiation_across_their_yields(backend, p):
    opt = optshare.SGD([p], lr=0.0)
    for x, y in optshare.minibatch(np.ones((4, 2)), np.zeros(4), 2):
        assert not optshare.recording()
        opt.step(lambda x, y: ((x * p).sum(1) - y).sum(), x, y)
    assert not optshare.recording()


def test_recording_in_one_task_is_not_seen_by_another():
    p = Parameter([1.0])

    @contextmanager
    def quiet():
        with optshare.record():
            yield

    async def records(inside, seen_by_other):
        with quiet():
            inside.set()
            await seen_by_other.wait()
            return type(p.value)

    async def looks(inside, seen_by_other):
        await inside.wait()
        found = type(p.value), optshare.recording()
        seen_by_other.set()
        return found

    async def main():
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(records(*events), looks(*events))

    tracked, (plain, recording) = asyncio.run(main())
    assert issubclass(tracked, Traceable)
    assert plain is np.ndarray
    assert not recording


@pytest.mark.parametrize("context", [optshare.record, optshare_tape.no_grad])
def test_a_context_is_not_entered_inside_itself_but_again_after_it(context, p):
    here = context()
    with here, pytest.raises(DifferentiationError, match="entered already"), here:
        pass
    with here:
        pass
    p.value = [2.0, 3.0]
    assert p.value.tolist() == [2.0, 3.0]


def test_a_step_inside_record_is_a_step_outside_of_it(p):
    opt = optshare.SGD([p], lr=0.5)
    with optshare.record():
        loss = opt.step(lambda: (p * p).sum())
    assert type(loss) is np.float64
    assert p.value.tolist() == [0.0, 0.0]


def test_a_generator_that_holds_record_does_not_break_its_callers_step(p):
    def batches():
        with optshare.record():
            yield from range(3)

    opt = optshare.SGD([p], lr=0.5)
    assert [float(opt.step(lambda: (p * p).sum())) for _ in batches()][1:] == [0.0, 0.0]
