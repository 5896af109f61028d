"""Functions that join arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare.errors import DataError
from optshare.shapes.arranging import ravel
from optshare.shapes.array import Shaped
from optshare.shapes.reading import ghost, shaped, shapes_of
from optshare.shapes.reductions import normal_axes
from optshare.shapes.table import stands_for
from optshare.shapes.untyped import np
from optshare.shapes.views import expand_dims, view


@stands_for(np.concatenate, name="concat")
def concat(arrays: Sequence[Any], axis: int | None = 0) -> Shaped:
    """Arrays one after the other along an axis; flattened first where it is `None`."""
    parts = [ravel(each) if axis is None else shaped(each) for each in arrays]
    (place,) = normal_axes(axis or 0, parts[0].ndim if parts else 1)
    empty = [ghost(each)[(slice(None),) * place + (slice(0, 0),)] for each in parts]
    try:
        joined: Any = np.concatenate(empty, axis=place)
    except (ValueError, IndexError) as error:
        raise DataError(f"arrays of the shapes {shapes_of(*parts)}: {error}") from error
    sizes = list(joined.shape)
    sizes[place] = sum(each.shape[place] for each in parts)
    return Shaped(sizes, joined.dtype)


@stands_for(np.stack, name="stack")
def stack(arrays: Sequence[Any], axis: int = 0) -> Shaped:
    """Arrays side by side along a new axis."""
    return concat([expand_dims(shaped(each), axis) for each in arrays], axis)


_at_least_2d, _at_least_3d = view(np.atleast_2d), view(np.atleast_3d)


@stands_for(np.vstack)
def vstack(arrays: Sequence[Any]) -> Shaped:
    """Arrays one below the other; those of one axis become rows."""
    return concat([_at_least_2d(shaped(each)) for each in arrays])


@stands_for(np.hstack)
def hstack(arrays: Sequence[Any]) -> Shaped:
    """Arrays side by side."""
    return concat(arrays, axis=0 if shaped(arrays[0]).ndim == 1 else 1)


@stands_for(np.dstack)
def dstack(arrays: Sequence[Any]) -> Shaped:
    """Arrays one behind the other, along the third axis."""
    return concat([_at_least_3d(shaped(each)) for each in arrays], axis=2)


@stands_for(np.column_stack)
def column_stack(arrays: Sequence[Any]) -> Shaped:
    """Arrays side by side; those of one axis become columns."""
    parts = map(shaped, arrays)
    return concat([expand_dims(each, 1) if each.ndim == 1 else each for each in parts], axis=1)


@stands_for(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Shaped:
    """One array after the other; flattened first where there is no axis."""
    return concat([arr, values], axis=axis)
