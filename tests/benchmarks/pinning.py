"""Workers on cores of their own: the scheduler may stack two on one core for seconds."""

import os
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.environment import cores

TASKS = Path("/proc/self/task")


def confine(threads):
    """Keep this process, and all threads to come, to as many cores as it shall have threads.

    XLA has a thread for each core, and no variable for another number.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores()[:threads])


@contextmanager
def pinned(threads):
    """The main thread and the workers of BLAS and OpenMP on cores of their own.

    Does nothing for one thread, where there are too few cores, or outside Linux. Threads that
    have a name, as those of XLA, stay free: there the main thread only waits.
    """
    available = cores()
    if threads == 1 or len(available) < threads or not TASKS.exists():
        yield
        return
    main = os.getpid()
    workers = [each for each in tasks() if each != main and name(each) == name(main)]
    os.sched_setaffinity(main, available[:1])
    for place, worker in enumerate(workers):
        os.sched_setaffinity(worker, [available[1 + place % (threads - 1)]])
    try:
        yield
    finally:
        for each in [main, *workers]:
            os.sched_setaffinity(each, available)


def tasks():
    """The threads of this process."""
    return [int(each.name) for each in TASKS.iterdir()]


def name(task):
    """What the system calls a thread; a thread that was given no name has its process's."""
    return (TASKS / str(task) / "comm").read_text()
