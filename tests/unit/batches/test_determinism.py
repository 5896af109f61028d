"""A batch gives one set of bits: with any number of threads, after a fork, beside another one."""

import multiprocessing
import threading

import numpy as np
import pytest

import optshare
from tests.unit.batches.one_by_one import RUNNERS, batches_of

SHAPES = [(300, 501), (7,), (200_001,), (64, 64), (1,)]
STEPS = 4


def trained(seed=0):
    """The parameters and the state, after some steps of a chain."""
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]
    parameters = list(map(optshare.Parameter, drawn))
    opt = optshare.Adam(parameters, lr=0.1)
    for _ in range(STEPS):
        opt.update([rng.normal(size=shape).astype(np.float32) for shape in SHAPES])
    states = [list(opt.state_for(each).arrays.values()) for each in parameters]
    return [each.value.copy() for each in parameters] + [np.copy(a) for s in states for a in s]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def with_threads(monkeypatch, number):
    monkeypatch.setenv("OPTSHARE_NUM_THREADS", str(number))
    return trained()


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("number", [2, 3])
def test_the_bits_are_those_of_one_thread(monkeypatch, runner, number):
    if runner == "Compiled":
        pytest.importorskip("numba")
    with batches_of(runner):
        assert_same(with_threads(monkeypatch, number), with_threads(monkeypatch, 1))


@pytest.mark.parametrize("runner", RUNNERS)
def test_two_threads_of_python_train_their_own_models_at_once(runner):
    if runner == "Compiled":
        pytest.importorskip("numba")
    found = {}
    with batches_of(runner):
        expected = [trained(seed) for seed in range(2)]
        workers = [
            threading.Thread(target=lambda seed=seed: found.update({seed: trained(seed)}))
            for seed in range(2)
        ]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
    for seed in range(2):
        assert_same(found[seed], expected[seed])


def _send(connection):
    connection.send(trained())


# torch and JAX may have threads of their own in this process; the child uses neither
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork"
)
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_child_that_is_forked_after_an_update_updates_too(monkeypatch, runner):
    if runner == "Compiled":
        pytest.importorskip("numba")
    monkeypatch.setenv("OPTSHARE_NUM_THREADS", "2")
    forking = multiprocessing.get_context("fork")
    with batches_of(runner):
        expected = trained()
        here, there = forking.Pipe(duplex=False)
        child = forking.Process(target=_send, args=[there], daemon=True)
        child.start()
        try:
            assert here.poll(60), "the child hangs"
            assert_same(here.recv(), expected)
        finally:
            child.kill()
            child.join()
