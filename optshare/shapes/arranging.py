"""Functions that arrange elements anew, where NumPy would copy them."""

from __future__ import annotations

import math
from operator import index
from typing import Any

from optshare.errors import DataError
from optshare.namespace import arranging
from optshare.narrowing import is_sequence
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops, uncounted
from optshare.shapes.reading import shaped
from optshare.shapes.reductions import normal_axes
from optshare.shapes.table import ops, stands_for
from optshare.shapes.untyped import np


@stands_for(np.reshape, name="reshape")
def reshape(x: Any, shape: Any, **options: Any) -> Shaped:
    """The array in another shape; one size may be -1, the one that fits.

    >>> reshape(np.ones((2, 6)), (3, -1))
    Shaped((3, 4), float64)
    """
    x = shaped(x)
    sizes = tuple(map(index, shape if is_sequence(shape) else (shape,)))
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known > 0 and x.size % known == 0:
        sizes = tuple(x.size // known if n == -1 else n for n in sizes)
    if min(sizes, default=0) < 0 or math.prod(sizes) != x.size:
        raise DataError(
            f"reshape: an array of shape {x.shape} has {x.size} elements, which do not fit into "
            f"the shape {tuple(shape) if is_sequence(shape) else shape}"
        )
    return Shaped(sizes, x.dtype)


@stands_for(np.ravel)
def ravel(x: Any) -> Shaped:
    """The array with one axis."""
    return reshape(x, -1) if shaped(x).size else Shaped(0, shaped(x).dtype)


@stands_for(np.pad, name="pad")
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Shaped:
    """The array with more at both ends of its axes."""
    x = shaped(x)
    np.pad(np.ones((1,) * x.ndim), 0, mode=mode)  # which refuses what is no mode
    widths = zip(x.shape, arranging.pad_widths(pad_width, x.ndim), strict=True)
    return Shaped(tuple(n + before + after for n, (before, after) in widths), x.dtype)


@stands_for(np.roll, name="roll")
def roll(x: Any, shift: Any, axis: Any = None) -> Shaped:
    """The array shifted along axes."""
    x = shaped(x)
    normal_axes(axis, x.ndim)
    return x


@stands_for(np.sort, name="sort")
def sort(x: Any, axis: int = -1, **options: Any) -> Shaped:
    """The elements in order along an axis."""
    x = shaped(x)
    normal_axes(axis, x.ndim)
    return x


@stands_for(np.argsort, name="argsort")
def argsort(x: Any, axis: int = -1, **options: Any) -> Shaped:
    """The places of the sorted elements."""
    return Shaped(sort(x, axis).shape, np.intp)


@stands_for(np.tril, name="tril")
@stands_for(np.triu, name="triu")
def triangle(x: Any, k: int = 0) -> Shaped:
    """The array with zeros on one side of a diagonal of its last two axes."""
    x = shaped(x)
    normal_axes((-2, -1), x.ndim)
    return x


@stands_for(np.repeat, name="repeat")
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element along an axis so many times; flattened first where there is no axis."""
    return arranging.repeat(ops, shaped(x), repeats, axis=axis)


@stands_for(np.tile, name="tile")
def tile(x: Any, repetitions: Any) -> Any:
    """The whole array so many times along each axis."""
    return arranging.tile(ops, shaped(x), repetitions)


@stands_for(name="diff")
def diff(x: Any, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    """The differences of neighbours along an axis, n times."""
    return arranging.diff(ops, shaped(x), axis=axis, n=n, prepend=prepend, append=append)


@stands_for(np.diff)
def _numpy_diff(a: Any, n: int = 1, axis: int = -1, **ends: Any) -> Any:
    x = shaped(a)
    (place,) = normal_axes(axis, x.ndim)
    one = (*x.shape[:place], 1, *x.shape[place + 1 :])
    given = {
        name: shaped(each) if np.ndim(each) else Shaped(one, shaped(each).dtype)
        for name, each in ends.items()
    }
    return diff(x, axis=place, n=n, **given)


@stands_for(np.cumulative_prod, name="cumulative_prod")
def cumulative_prod(x: Any, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """The products of the first entries along an axis."""
    x = shaped(x)
    with uncounted():
        found = arranging.cumulative_prod(ops, x, axis=axis, include_initial=include_initial)
    count_flops(x.size)
    return found


@stands_for(np.cumprod)
def cumprod(a: Any, axis: int | None = None) -> Any:
    """NumPy's cumulative product: flattened where no axis is given."""
    return cumulative_prod(ravel(a) if axis is None else a, axis=axis or 0)
