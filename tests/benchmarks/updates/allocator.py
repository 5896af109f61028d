"""What the C library does with memory that is freed."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
NEVER = -1


def trim():
    """Hand back what the allocator keeps for later, where it can."""
    hand_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if hand_back:
        hand_back(0)


def keep():
    """Keep all that is freed, from now on: large arrays are not new pages at each step then.

    Source: glibc's mallopt(3); other C libraries keep what they keep.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune:
        tune(MMAP_MAX, 0)
        tune(TRIM_THRESHOLD, NEVER)
