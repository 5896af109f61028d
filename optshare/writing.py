"""Values put in the place of parameters' own, and back again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from optshare import registry
from optshare.backend import placed, seam_of
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


def is_in_place(key: Any) -> bool:
    """Whether updates write into a parameter's array."""
    backend = registry.owner(key.stored)
    return registry.capabilities(backend.name).inplace and not isinstance(key, HeldSlot)


def write(key: Any, value: Any) -> None:
    """Give a parameter a value in its own dtype and memory, in place where updates are."""
    backend = registry.owner(key.stored)
    seam, view = seam_of(backend), seam_of(backend).host_view(key.stored)
    if view is None:
        backend.update(key, value)
    elif is_in_place(key):
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
    old = [(key, kept(key)) for key, _ in pairs]
    try:
        for key, value in pairs:
            write(key, value)
        yield
    finally:
        for key, value in old:
            restore(key, value)


def kept(key: Any) -> Any:
    """A parameter's array to give back by `restore`: a copy where updates write into it."""
    return deepcopy(memory(key)[1]) if is_in_place(key) else key.stored


def restore(key: Any, value: Any) -> None:
    """Give a parameter back what `kept` gave."""
    if is_in_place(key):
        write(key, value)
    else:
        registry.owner(key.stored).update(key, value)
