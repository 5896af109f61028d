"""Shaped: an array that has a shape and a dtype, but no numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from operator import getitem, index
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np

from optshare.errors import DataError, InPlaceError, NoNumbersError
from optshare.narrowing import is_sequence
from optshare.parameter import Box
from optshare.shapes.methods import Methods
from optshare.shapes.protocols import by_array_function, by_ufunc
from optshare.shapes.table import BY_OPERATOR

if TYPE_CHECKING:
    from optshare.namespace.protocol import Namespace


class Shaped(Methods):
    """An array that has a shape and a dtype, but no numbers.

    It goes wherever an array goes: through Python's operators, `optshare.ops`, NumPy's common
    functions, and layers. What comes out has the shape and the dtype that the call would give
    on numbers; nothing is computed, and no memory is taken for elements.

    Args:
        shape: the size of each axis.
        dtype: anything that `numpy.dtype` takes.

    Raises:
        DataError: a size is no whole number, or negative; or NumPy could not address the elements.
        NoNumbersError: a number is asked for, as by `float(x)`, `if x > 0` or `x[x > 0]`.

    >>> x = Shaped((2, 3), "float32")
    >>> np.exp(x) @ np.ones((3, 5), np.float32)
    Shaped((2, 5), float32)
    >>> x.mean(axis=0) > 0
    Shaped((3,), bool)
    """

    __slots__ = ("_dtype", "_shape")

    optshare_ops: ClassVar[Namespace]
    """The functions of arrays of this class, which `optshare.ops` finds here."""

    def __init__(self, shape: int | Sequence[int], dtype: Any) -> None:
        self._shape = _sizes(shape)
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        if self.size * self._dtype.itemsize > sys.maxsize:
            raise DataError(f"{self!r} has more bytes than an array can have")

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, one of NumPy's."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._shape)

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of an array without axes")
        return self._shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        return f"Shaped({self._shape}, {self._dtype})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    # -- functions of it -------------------------------------------------------------------

    def _operate(self, function: Callable[..., Any], *operands: Any) -> Any:
        if any(isinstance(each, Box) for each in operands) and function is not getitem:
            return NotImplemented  # the box's own operator reads its value
        return BY_OPERATOR[function](*operands)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return by_ufunc(ufunc, method, inputs, options)

    def __array_function__(
        self, function: Any, types: Any, args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        return by_array_function(function, args, options)

    # -- what it has not -------------------------------------------------------------------

    def _refuse(self, *args: Any, **options: Any) -> NoReturn:
        raise NoNumbersError(
            f"{self!r} has a shape but no numbers: outputsize(), build() and summary() call the "
            f"model without computing. Here something asks for a number, as float(x), x.item(), "
            f"`if x > 0` and np.asarray(x) do; call the model on real data instead"
        )

    __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = _refuse
    item = tolist = _refuse

    def __format__(self, spec: str) -> str:
        return self._refuse() if spec else repr(self)

    def __setitem__(self, place: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            f"{self!r} has no numbers that could be written in place; use where, or concat parts"
        )


def _sizes(shape: Any) -> tuple[int, ...]:
    """Sizes of axes as whole numbers of Python's."""
    try:
        sizes = tuple(map(index, shape if is_sequence(shape) else (shape,)))
    except TypeError as error:
        raise DataError(f"Shaped: shape={shape!r} must be whole numbers") from error
    if min(sizes, default=0) < 0:
        raise DataError(f"Shaped: shape={shape!r} has a negative size")
    return sizes
