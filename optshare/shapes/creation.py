"""Creation, conversion, and questions about arrays."""

from __future__ import annotations

import math
from typing import Any

from optshare.shapes.array import Shaped
from optshare.shapes.reading import dtype_of, shaped
from optshare.shapes.table import RANDOM, stands_for
from optshare.shapes.untyped import np


@stands_for(np.zeros_like, name="zeros_like")
@stands_for(np.ones_like, name="ones_like")
@stands_for(np.empty_like)
def like(x: Any, dtype: Any = None, *, shape: Any = None, **options: Any) -> Shaped:
    """An array in the shape and the dtype of another, or in those that are given."""
    x = shaped(x)
    return Shaped(
        x.shape if shape is None else shape, x.dtype if dtype is None else dtype_of(dtype)
    )


@stands_for(np.full_like, name="full_like")
def full_like(x: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Shaped:
    """One number in the shape of an array."""
    return like(x, dtype, **options)


@stands_for(name="arange")
def arange(*bounds: Any, dtype: Any = None, device: Any = None) -> Shaped:
    """Evenly spaced numbers: `arange(stop)`, `arange(start, stop, step)`.

    >>> arange(2, 9, 3)
    Shaped((3,), int64)
    """
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    kind = np.arange(start, start, step, dtype=None if dtype is None else dtype_of(dtype)).dtype
    if dtype is None:
        kind = np.result_type(np.arange(start, start, step), np.asarray(stop))
    return Shaped(max(0, math.ceil((stop - start) / step)), kind)


@stands_for(name="asarray")
def asarray(x: Any, dtype: Any = None, *, device: Any = None, copy: bool | None = None) -> Shaped:
    """The shape and the dtype of what is given."""
    return like(x, dtype)


@stands_for(np.copy, name="stop_gradient")
def stop_gradient(x: Any) -> Shaped:
    """The array as a constant."""
    return shaped(x)


@stands_for(name="is_concrete")
def is_concrete(x: Any) -> bool:
    """Whether the numbers are known: those of an array without numbers never are."""
    return not isinstance(x, Shaped)


def bernoulli(key: tuple[int, ...], probability: float, like: Any) -> Shaped:
    """0 and 1 in the shape and dtype of an array."""
    return shaped(like)


RANDOM["bernoulli"] = bernoulli


@stands_for(np.shape)
def shape(x: Any) -> tuple[int, ...]:
    """The shape of an array."""
    return shaped(x).shape


@stands_for(np.ndim)
def ndim(x: Any) -> int:
    """The number of axes of an array."""
    return shaped(x).ndim


@stands_for(np.size)
def size(x: Any, axis: int | None = None) -> int:
    """The number of elements of an array, or of an axis."""
    return shaped(x).size if axis is None else shaped(x).shape[axis]


@stands_for(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Whether an array is complex."""
    return shaped(x).dtype.kind == "c"


@stands_for(np.result_type)
def result_type(*things: Any) -> Any:
    """The dtype to which things promote."""
    return np.result_type(*(each.dtype if isinstance(each, Shaped) else each for each in things))
