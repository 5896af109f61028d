"""Values put in the place of parameters' own, and back again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from optshare import registry
from optshare.backend import Backend, placed, seam_of
from optshare.kernels.memory import aligned_copy
from optshare.slots import HeldSlot


def memory(key: Any) -> tuple[Any, Any]:
    """The array functions of a parameter's memory, and its array there, untracked."""
    backend = registry.owner(key.stored)
    view = seam_of(backend).host_view(key.stored)
    if view is not None:
        return np, view
    ops: Any = backend.ops
    return ops, ops.stop_gradient(key.stored)


def beside(key: Any, array: Any) -> Any:
    """An array of NumPy's in the memory of a parameter's."""
    backend = registry.owner(key.stored)
    if seam_of(backend).host_view(key.stored) is not None:
        return array
    return placed(backend.ops, array, key.stored)


def is_in_place(key: Any, backend: Backend) -> bool:
    """Whether updates write into a parameter's array, which a backend owns."""
    return registry.capabilities(backend.name).inplace and not isinstance(key, HeldSlot)


def write(key: Any, value: Any) -> None:
    """Give a parameter a value in its own dtype and memory, in place where updates are."""
    backend = registry.owner(key.stored)
    seam, view = seam_of(backend), seam_of(backend).host_view(key.stored)
    if view is None:
        backend.update(key, value)
    elif is_in_place(key, backend):
        np.copyto(view, value)
        seam.written(key.stored)
        key.replaced()
    else:
        backend.update(key, seam.adopt(aligned_copy(value)))


@contextmanager
def holding(pairs: list[tuple[Any, Any]]) -> Generator[None]:
    """A `with` in which parameters have other values; afterwards their own, bit for bit.

    >>> from optshare.parameter import Parameter
    >>> w = Parameter([1.0])
    >>> with holding([(w, np.array([2.0]))]):
    ...     print(w)
    Parameter(array([2.]))
    >>> w
    Parameter(array([1.]))
    """
    old = put(pairs)
    try:
        yield
    finally:
        give_back(old)


def put(pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Give parameters other values, all or none; what they had is returned, for `give_back`."""
    old = [(key, _kept(key)) for key, _ in pairs]
    try:
        for key, value in pairs:
            write(key, value)
    except BaseException:
        give_back(old)
        raise
    return old


def give_back(old: list[tuple[Any, Any]]) -> None:
    """Give parameters back what they had before `put`, bit for bit."""
    for key, value in old:
        backend = registry.owner(key.stored)
        if is_in_place(key, backend):
            write(key, value)
        else:
            backend.update(key, value)


def _kept(key: Any) -> Any:
    """A parameter's array: a copy where updates write into it."""
    in_place = is_in_place(key, registry.owner(key.stored))
    return deepcopy(memory(key)[1]) if in_place else key.stored
