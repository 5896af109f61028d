"""Sorting: the array taken at its sorted places."""

from __future__ import annotations

from typing import Any

from optshare_arrays.indexing import flip, take_along_axis
from optshare_arrays.primitives import plain, stands_for
from optshare_arrays.untyped import np


def argsort(x: Any, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The places of the sorted elements, a constant."""
    kind = "stable" if stable else None
    if not descending:
        return np.argsort(plain(x), axis=axis, kind=kind)
    backwards = np.argsort(flip(plain(x), axis), axis=axis, kind=kind)
    return flip(x.shape[axis] - 1 - backwards, axis)


def sort(x: Any, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The elements in order; each receives the gradient of its new place."""
    places = argsort(x, axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, places, axis)


@stands_for(np.sort)
def _numpy_sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    places = np.argsort(plain(a), axis=axis, kind="stable" if stable else kind)
    return take_along_axis(a, places, axis)


@stands_for(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """The elements rearranged so that those before the k-th are not greater."""
    return take_along_axis(a, np.argpartition(plain(a), kth, axis=axis), axis)
