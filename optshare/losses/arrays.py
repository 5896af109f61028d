"""Numbers of any kind as arrays of the engine that a loss computes with."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.backend import placed
from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_host
from optshare.parameter import Box, is_array
from optshare.registry import host_copy

_DTYPE: Any = np.dtype  # of which the annotations know a parameter that nobody needs


def namespace_beside(x: Any, y: Any) -> Namespace:
    """The `ops` of two arrays, of which one may be NumPy's beside another engine's."""
    if is_host(y):
        return namespace_of(x)
    return namespace_of(y) if is_host(x) else namespace_of(x, y)


def beside(ops: Namespace, x: Any, like: Any) -> Any:
    """An array of the engine's or of NumPy's, or lists of numbers, as the engine's array."""
    if is_array(x) and not is_host(x):
        return x
    x = np.asarray(x)
    return x if is_host(like) else placed(ops, x, like)


def fitting(ops: Namespace, x: Any, like: Any) -> Any:
    """The same, in the dtype of another array."""
    x = array(x)
    if x.dtype == like.dtype:
        return beside(ops, x, like)
    if "complex" in str(x.dtype):
        raise DataError(f"{x.dtype} beside {like.dtype}; losses take real numbers, such as abs(z)")
    if is_host(x) and isinstance(like.dtype, _DTYPE):
        x = np.asarray(x, like.dtype)  # before an engine without this width refuses it
    x = beside(ops, x, like)
    return x if x.dtype == like.dtype else ops.astype(x, like.dtype)


def array(x: Any) -> Any:
    """An array as it is, the value of a box, or numbers in NumPy's memory."""
    if isinstance(x, Box):
        return x.value
    return x if hasattr(x, "dtype") else np.asarray(x)


def real(name: str, what: str, x: Any) -> Any:
    """An array of floating numbers; anything else raises `DataError`."""
    x = array(x)
    if not is_floating(x.dtype):
        raise DataError(
            f"{name}: the {what} is of {x.dtype}; it must be of floating numbers, such as float32"
        )
    return x


def is_floating(dtype: Any) -> bool:
    """Whether a dtype of any engine holds real floating numbers."""
    return getattr(dtype, "kind", "") == "f" or "float" in str(dtype)


def is_whole(dtype: Any) -> bool:
    """Whether a dtype of any engine holds integers; NumPy's say so without being spelled."""
    kind = getattr(dtype, "kind", None)
    return "int" in str(dtype) if kind is None else kind in "iu"


def numbers_of(ops: Namespace, x: Any) -> np.ndarray[Any, Any] | None:
    """The numbers of an array, tracked or not, in NumPy's memory; `None` if they are not known."""
    x = ops.stop_gradient(x)
    return on_host(x) if ops.is_concrete(x) else None


def on_host(x: Any) -> np.ndarray[Any, Any]:
    """The numbers of an array of any engine in NumPy's memory."""
    foreign = is_array(x) and not is_host(x)
    return host_copy(x) if foreign else np.asarray(x)
