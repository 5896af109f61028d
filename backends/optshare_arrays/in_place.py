"""NumPy's functions that write into their first argument: they raise, and say what to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from optshare.extend import InPlaceError
from optshare_arrays.primitives import stands_for
from optshare_arrays.untyped import np


def _refused(function: Callable[..., Any], instead: str) -> None:
    def call(*args: Any, **kwargs: Any) -> NoReturn:
        raise InPlaceError(
            f"numpy.{function.__name__} writes into an array, which would lose the gradient of "
            f"a tracked value; use {instead}"
        )

    stands_for(function)(call)


_refused(np.copyto, "numpy.where, or the tracked value itself")
_refused(np.fill_diagonal, "numpy.where with a mask, or x + numpy.diag(v)")
_refused(np.place, "numpy.where")
_refused(np.put, "numpy.where with a mask, or concatenate parts")
_refused(np.put_along_axis, "numpy.where with a mask, or concatenate parts")
_refused(np.putmask, "numpy.where")
