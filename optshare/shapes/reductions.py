"""Reductions and scans along axes.

The dtype, and what is refused, is what NumPy's function says of an array of the same axes, each
with at most one element.
"""

from __future__ import annotations

from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from optshare.errors import DataError
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops
from optshare.shapes.reading import shaped
from optshare.shapes.table import Function, stands_for
from optshare.shapes.untyped import np

NAMES = "all", "any", "argmax", "argmin", "count_nonzero", "max", "min", "prod", "sum"
"""Those of `ops` that NumPy calls so, too, and that count 1 for each element."""

FURTHER = np.ptp, np.nansum, np.nanprod, np.nanmax, np.nanmin


def reduced_shape(shape: tuple[int, ...], axis: Any, keepdims: bool) -> tuple[int, ...]:
    """The shape that is left of an array whose axes are reduced, all of them for `None`.

    >>> reduced_shape((2, 3, 4), (0, -1), True), reduced_shape((2, 3, 4), 1, False)
    ((1, 3, 1), (2, 4))
    """
    gone = normal_axes(axis, len(shape))
    if keepdims:
        return tuple(1 if place in gone else n for place, n in enumerate(shape))
    return tuple(n for place, n in enumerate(shape) if place not in gone)


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front; all of them for `None`."""
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def reduction(
    function: Function, each: int = 1, answer: int = 0, *, empty: bool = True
) -> Function:
    """A reduction of NumPy's, for arrays without numbers.

    Args:
        function: NumPy's.
        each: the operations for each element that goes in.
        answer: those for each element of the answer.
        empty: whether NumPy is asked about arrays without elements, of which it may refuse
            some; of means and variances it warns instead.

    >>> reduction(np.sum)(Shaped((2, 3), "int8"), axis=1)
    Shaped((2,), int64)
    """

    def call(
        x: Any,
        axis: Any = None,
        *,
        keepdims: bool = False,
        correction: float = 0,
        ddof: float = 0,
        **options: Any,
    ) -> Shaped:
        x = shaped(x)
        small = np.ones([min(n, 1) if empty else 1 for n in x.shape], x.dtype)
        dtype = function(small, axis=axis, keepdims=True, **options).dtype
        found = Shaped(reduced_shape(x.shape, axis, keepdims), dtype)
        count_flops(each * x.size + answer * found.size)
        return found

    return call


def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Shaped:
    """log(sum(exp(x))) over axes."""
    x = shaped(x)
    found = Shaped(reduced_shape(x.shape, axis, keepdims), np.exp(np.empty(0, x.dtype)).dtype)
    count_flops(2 * x.size + found.size)
    return found


def cumulative_sum(x: Any, *, axis: int | None = None, include_initial: bool = False) -> Shaped:
    """The sums of the first entries along an axis; with a zero before them, if asked."""
    x = shaped(x)
    if axis is None and x.ndim != 1:
        raise DataError(f"cumulative_sum of an array of shape {x.shape} needs axis=")
    (place,) = normal_axes(axis or 0, x.ndim)
    sizes = list(x.shape)
    sizes[place] += include_initial
    count_flops(x.size)
    return Shaped(sizes, np.cumsum(np.empty(0, x.dtype)).dtype)


@stands_for(np.cumsum)
def cumsum(x: Any, axis: int | None = None) -> Shaped:
    """NumPy's cumulative sum: flattened where no axis is given."""
    x = shaped(x)
    return cumulative_sum(Shaped(x.size, x.dtype) if axis is None else x, axis=axis)


_norm = reduction(np.linalg.norm, 2, 1, empty=False)


@stands_for(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """A norm of vectors or of matrices."""
    return _norm(x, axis, keepdims=keepdims, ord=ord)


for name in NAMES:
    stands_for(getattr(np, name), name=name)(reduction(getattr(np, name)))
stands_for(np.amax)(reduction(np.max))
stands_for(np.amin)(reduction(np.min))
for further in FURTHER:
    stands_for(further)(reduction(further))
stands_for(np.mean, name="mean")(reduction(np.mean, answer=1, empty=False))
stands_for(np.var, name="var")(reduction(np.var, 4, 2, empty=False))
stands_for(np.std, name="std")(reduction(np.std, 4, 3, empty=False))
stands_for(name="logsumexp")(logsumexp)
stands_for(np.cumulative_sum, name="cumulative_sum")(cumulative_sum)
