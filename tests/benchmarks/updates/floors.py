"""The floor: what the memory allows, a compiled touch of the streams of a rule."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np

WORTH = 1_000_000
"""Elements from which on more threads are faster than one."""
ALIGNMENT = 64
SIGNATURE = "void(f4, f4[::1], {})"


def floor(moving):
    """Reads the gradient, and reads and writes two or three other arrays, each in one piece."""
    return partial(Floor, moving)


class Floor:
    """A flat buffer for each stream, and a compiled loop over them, in equal parts for threads."""

    family = None

    def __init__(self, moving, problem):
        self.touch = compiled(moving)
        size = sum(each.size for each in problem.parameters)
        self.parts = parts(buffers(1 + moving, size), problem.threads if size > WORTH else 1)
        self.workers = ThreadPoolExecutor(len(self.parts)) if len(self.parts) > 1 else None

    def step(self):
        """The caller does the first part."""
        first, *others = self.parts
        waiting = [self.workers.submit(self.touch, np.float32(0.5), *each) for each in others]
        self.touch(np.float32(0.5), *first)
        for each in waiting:
            each.result()


def buffers(count, size):
    """Aligned float32 arrays."""
    return [aligned(size) for _ in range(count)]


def aligned(size):
    """Ones, from a border of a cache line on."""
    memory = np.empty(4 * size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    found = memory[start : start + 4 * size].view(np.float32)
    found.fill(1)
    return found


def parts(arrays, count):
    """The arrays of each thread."""
    return list(zip(*(np.array_split(each, count) for each in arrays), strict=True))


@cache
def compiled(moving):
    """The loop for so many arrays that are read and written."""
    from numba import njit

    signature = SIGNATURE.format(", ".join(["f4[::1]"] * moving))
    return njit(signature, nogil=True, fastmath=True)({2: touch_two, 3: touch_three}[moving])


def touch_two(c, g, m, p):
    """Five streams: three are read, two written; all are read before one is written."""
    for i in range(g.size):
        x, a, b = g[i], m[i], p[i]
        m[i], p[i] = c * a + x, c * b + x


def touch_three(c, g, m, v, p):
    """Seven streams: four are read, three written."""
    for i in range(g.size):
        x, a, b, d = g[i], m[i], v[i], p[i]
        m[i], v[i], p[i] = c * a + x, c * b + x, c * d + x
