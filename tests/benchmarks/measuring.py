"""Interleaved measurement: every round takes one sample of each contestant, in a shuffled order.

Code that is bound by Python runs in phases, one 1.75 times slower than the other, and other
programs come and go; only what was measured side by side can be compared.
"""

import gc
import random
from contextlib import contextmanager
from statistics import median
from time import perf_counter, sleep

from tests.benchmarks.pinning import pinned

SAMPLE = 0.005
WARM_UP = 0.2
SETTLING = 0.0005
SLOW = 0.1
FAR = 10
FEWEST = 5


def interleaved(steps, budget, threads):
    """The samples of each step in seconds, one for each round that the budget in seconds allows.

    `None` stands where a contestant sat a round out; one that is far slower than most does.
    """
    from threadpoolctl import threadpool_limits

    shuffled = random.Random(0)
    samples = {name: [] for name in steps}
    with threadpool_limits(threads), pinned(threads), quiet():
        durations = {name: warmed(step) for name, step in steps.items()}
        every = pauses(durations)
        began, rounds = perf_counter(), 0
        while perf_counter() - began < budget or rounds < FEWEST:
            for name in shuffled.sample(list(steps), len(steps)):
                here = rounds % every[name] == 0
                samples[name].append(sample(steps[name], durations[name]) if here else None)
            rounds += 1
    return samples


def warmed(step):
    """Warm a step up; the shortest that it took."""
    began = perf_counter()
    lasted = [seconds(step, 1)]
    while perf_counter() - began < WARM_UP:
        lasted.append(seconds(step, 1))
    return min(lasted)


def pauses(durations):
    """In which rounds each takes part, every n-th: so that none takes most of the time."""
    usual = median(durations.values())
    return {name: max(1, round(each / (FAR * usual))) for name, each in durations.items()}


def sample(step, duration):
    """The time of one step: the garbage collected, the others' workers asleep, the caches warm."""
    gc.collect()
    sleep(SETTLING)
    if duration < SLOW:
        step()
    return seconds(step, 1 + int(SAMPLE / duration))


def seconds(step, count):
    """The mean time of some steps."""
    began = perf_counter()
    for _ in range(count):
        step()
    return (perf_counter() - began) / count


@contextmanager
def quiet():
    """No collection of garbage inside a sample, alike for all; what is there now is kept apart."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
