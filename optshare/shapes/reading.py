"""What the functions of arrays without numbers are given, read as such arrays."""

from __future__ import annotations

from typing import Any

from optshare.errors import DataError, ImplicitUnwrapError
from optshare.narrowing import is_dict, is_sequence
from optshare.parameter import Box, is_array
from optshare.shapes.array import Shaped
from optshare.shapes.untyped import np


def shaped(x: Any) -> Shaped:
    """The shape and the dtype of an array of any library, of a number, or of a list of numbers.

    >>> shaped(np.ones((2, 3)))
    Shaped((2, 3), float64)
    """
    if isinstance(x, Shaped):
        return x
    x = unboxed(x)
    if not is_array(x):
        x = np.asarray(x)
    return x if isinstance(x, Shaped) else Shaped(tuple(x.shape), dtype_of(x.dtype))


def unboxed(x: Any) -> Any:
    """The value of a box that stands for an array; another box raises, as it does everywhere."""
    if not isinstance(x, Box):
        return x
    if not x.implicit:
        raise ImplicitUnwrapError(
            f"a {type(x).__name__} was passed to a function of arrays; pass p.value instead"
        )
    return x.value


def dtype_of(dtype: Any) -> Any:
    """NumPy's dtype of that name, from one of any library.

    Raises:
        DataError: NumPy has none.

    >>> dtype_of("float32")
    dtype('float32')
    """
    try:
        return np.dtype(dtype)
    except TypeError:
        pass
    try:
        return np.dtype(str(dtype).rpartition(".")[2])
    except TypeError as error:
        raise DataError(f"NumPy has no dtype {dtype}; convert the array to another") from error


def each_array(function: Any, thing: Any) -> Any:
    """A function applied to what is an array, also in lists and dicts; the rest as it is."""
    if is_sequence(thing):
        return type(thing)(each_array(function, each) for each in thing)
    if is_dict(thing):
        return {name: each_array(function, each) for name, each in thing.items()}
    return function(thing) if is_array(thing) else thing


def ghost(x: Any) -> Any:
    """An array of NumPy's of a shape, whose elements all lie in one place: it takes no memory.

    What NumPy gives as a view of it has the shape that NumPy says, and takes none either.
    """
    x = shaped(x)
    return np.broadcast_to(np.empty((), x.dtype), x.shape)


def unghosted(found: Any) -> Any:
    """Arrays of NumPy's as arrays without numbers."""
    return each_array(shaped, found)


def shapes_of(*arrays: Shaped) -> str:
    """The shapes in words, for a message.

    >>> shapes_of(Shaped((2,), "int8"), Shaped((), "int8"))
    '(2,) and ()'
    """
    return " and ".join(str(each.shape) for each in arrays)
