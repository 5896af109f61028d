"""What the two engines allocate: counted by hand for a recurrent network, and over many steps."""

import gc
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Parameter, ops

STEPS, BATCH, SIZE = 200, 128, 128
SEGMENT = 20
FLOAT32 = 4

STATES = STEPS * BATCH * SIZE * FLOAT32
"""tanh's result at every step: its derivative needs it, and so does the next step's product."""
WEIGHTS = (2 * SIZE * SIZE + SIZE) * FLOAT32
"""The sums of the three parameters' gradients."""
COTANGENT = BATCH * SIZE * FLOAT32
"""That of the state, on its way back."""


class Recurrent:
    """h = tanh(x W + h U + b), over many steps; the loss is the sum of squares at the end."""

    def __init__(self, checkpoint=None):
        rng = np.random.default_rng(0)
        self.xs = [rng.normal(size=(BATCH, SIZE)).astype(np.float32) for _ in range(STEPS)]
        scale = SIZE**-0.5 / 2
        self.input_weight, self.hidden_weight = (
            Parameter(rng.normal(size=(SIZE, SIZE)) * scale, np.float32) for _ in range(2)
        )
        self.bias = Parameter(np.zeros(SIZE), np.float32)
        self.checkpoint = checkpoint

    def segment(self, h, *xs):
        for x in xs:
            drive = x @ self.input_weight.value + self.bias.value
            h = np.tanh(drive + h @ self.hidden_weight.value)
        return h

    def __call__(self):
        h = np.zeros((BATCH, SIZE), np.float32)
        for start in range(0, STEPS, SEGMENT):
            xs = self.xs[start : start + SEGMENT]
            if self.checkpoint is None:
                h = self.segment(h, *xs)
            else:
                h = self.checkpoint(self.segment)(h, *xs)
        return ops.sum(h * h)


def tape_checkpoint(f):
    return lambda *args: optshare_tape.checkpoint(f, *args)


CHECKPOINTS = {"tape": tape_checkpoint, "functional": optshare_functional.checkpoint}


def peak(engine, model):
    """The most bytes that one gradient holds at once, beyond those before it."""
    with optshare.use(engine):
        optshare.gradient(model, wrt=model)  # caches fill once
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            found = optshare.gradient(model, wrt=model)
            assert all(each is not None for each in found)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.enable()


@pytest.mark.parametrize("engine", CHECKPOINTS)
def test_a_recurrent_network_holds_what_its_backward_pass_needs(engine):
    assert peak(engine, Recurrent()) <= 1.1 * (STATES + WEIGHTS + COTANGENT)


@pytest.mark.parametrize("engine", CHECKPOINTS)
def test_a_checkpointed_one_holds_the_states_of_one_segment_and_the_ends_of_all(engine):
    ends, inside = STEPS // SEGMENT, SEGMENT
    states = (ends + inside) * BATCH * SIZE * FLOAT32
    assert peak(engine, Recurrent(CHECKPOINTS[engine])) <= 1.5 * (states + WEIGHTS + COTANGENT)


@pytest.mark.parametrize("engine", CHECKPOINTS)
def test_dropping_a_result_frees_everything_at_once(engine):
    model = Recurrent()
    with optshare.use(engine):
        optshare.gradient(model, wrt=model)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(2):  # Python keeps the shells of small tuples and lists that it freed
                before = tracemalloc.get_traced_memory()[0]
                result = optshare.value_and_gradient(model, wrt=model)
                held = tracemalloc.get_traced_memory()[0] - before
                del result
                left = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
            gc.enable()
    assert held >= WEIGHTS
    assert left < COTANGENT  # not one array, and not the nodes: only Python's own free lists


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is Linux's")
@pytest.mark.parametrize("engine", CHECKPOINTS)
def test_ten_thousand_steps_without_the_collector_leave_resident_memory_flat(engine):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 16)).astype(np.float32), rng.integers(0, 4, 8)
    model = optshare.Chain(optshare.Dense(16, 32, optshare.relu), optshare.Dense(32, 4))
    opt = optshare.Adam(model)

    def train(steps):
        for _ in range(steps):
            opt.step(lambda: optshare.nll(model(x), y))

    with optshare.use(engine):
        train(500)
        gc.collect()
        gc.disable()
        try:
            before = resident()
            train(10_000)
            grown = resident() - before
        finally:
            gc.enable()
    assert grown <= 2**20  # what the allocator may round to; a leak of 105 bytes a step is more


def resident():
    """The bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
