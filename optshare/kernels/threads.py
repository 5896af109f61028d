"""Threads of our own: the caller does the first share of a task, they do the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

VARIABLES = ("OPTSHARE_NUM_THREADS", "OMP_NUM_THREADS")
"""Where the number of threads is read from, the first that is there."""

Share = tuple[Any, ...]
_pools: dict[int, ThreadPoolExecutor] = {}


def count() -> int:
    """How many threads an update may use, with the caller's.

    It is `OPTSHARE_NUM_THREADS`, else `OMP_NUM_THREADS`, else the number of cores that this
    process may use.
    """
    for name in VARIABLES:
        given = os.environ.get(name, "")
        if given.isdecimal() and int(given):
            return int(given)
    return _cores()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(work: Callable[..., Any], shares: Sequence[Share]) -> None:
    """Call `work(*share)` for each share, in as many threads; raises what one of them raises.

    >>> found = []
    >>> spread(found.append, [(1,), (2,)]); sorted(found)
    [1, 2]
    """
    if not shares:
        return
    waiting = [_pool(len(shares) - 1).submit(work, *each) for each in shares[1:]]
    try:
        work(*shares[0])
    finally:
        for each in waiting:
            each.exception()
    for each in waiting:
        each.result()


def _pool(size: int) -> ThreadPoolExecutor:
    if size not in _pools:
        futures: Any = import_module("concurrent.futures")  # which is slow to import
        _pools[size] = futures.ThreadPoolExecutor(size, thread_name_prefix="optshare")
    return _pools[size]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # a child has none of its parent's threads
