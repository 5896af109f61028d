"""What one step takes of memory beside what it keeps."""

import gc
import tracemalloc
from pathlib import Path

from tests.benchmarks.updates import allocator

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
PEAK = "5"


def extra(step):
    """Bytes: the larger of what the process grew by meanwhile and what `tracemalloc` saw."""
    gc.collect()
    step()  # what others left behind is gone after it
    return max(resident(step), traced(step))


def resident(step):
    """By how much the process grew at most during a step; 0 where the system does not tell."""
    if not CLEAR.exists():
        return 0
    allocator.trim()  # memory that is kept would hide what is taken
    CLEAR.write_text(PEAK)
    before = status("VmRSS")
    step()
    return max(0, status("VmHWM") - before)


def traced(step):
    """The same of what NumPy and Python took."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def status(name):
    """A line of the system's account of this process, in bytes."""
    lines = STATUS.read_text().splitlines()
    found = next(each for each in lines if each.startswith(name))
    return 1024 * int(found.split()[1])
