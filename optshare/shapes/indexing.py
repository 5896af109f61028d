"""Indexing: basic, boolean by known truths, and by arrays of integers.

What basic indices give is a view, of which NumPy says the shape. Arrays in an index would make it
copy, so their rule stands here: https://numpy.org/doc/stable/user/basics.indexing.html
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from optshare.errors import DataError, NoNumbersError
from optshare.narrowing import is_sequence
from optshare.parameter import is_array
from optshare.shapes.arranging import ravel
from optshare.shapes.array import Shaped
from optshare.shapes.reading import ghost, shaped, shapes_of, unboxed
from optshare.shapes.reductions import normal_axes
from optshare.shapes.table import BY_OPERATOR, stands_for
from optshare.shapes.untyped import np, op


class Advanced(NamedTuple):
    """Integers in an index, or the places where truths hold."""

    shape: tuple[int, ...]


def getitem(x: Any, index: Any) -> Shaped:
    """The array at an index.

    Raises:
        IndexError: the index does not fit the array.
        NoNumbersError: the index has truths that are not known.

    >>> getitem(Shaped((4, 5, 6), "int8"), (slice(1, 3), np.array([[0, 1]])))
    Shaped((2, 1, 2, 6), int8)
    """
    x = shaped(x)
    given = cast(Any, index) if isinstance(index, tuple) else (index,)
    places = [_read(each) for each in given]
    if not any(is_array(each) for each in places):
        return shaped(ghost(x)[tuple(places)])
    return Shaped(_placed(_entries(x.shape, places)), x.dtype)


def _read(each: Any) -> Any:
    """One member of an index: whole numbers as Python's, lists and truths as arrays."""
    each = unboxed(each)
    if isinstance(each, np.integer):
        return int(each)
    return np.asarray(each) if is_sequence(each) or isinstance(each, bool) else each


def _entries(shape: tuple[int, ...], places: list[Any]) -> list[Any]:
    """An index for all axes of a shape.

    It has the size that is left of an axis, `Advanced` for integers and truths, and `...`, which
    parts what is beside it even where it stands for no axis.
    """
    known = sum(map(_axes_of, places))
    if known > len(shape):
        raise IndexError(f"an index of {known} axes is too much for an array of shape {shape}")
    if not any(each is Ellipsis for each in places):
        places = [*places, Ellipsis]
    entries: list[Any] = []
    place = 0
    for each in places:
        if each is Ellipsis:
            end = place + len(shape) - known
            entries += [Ellipsis, *shape[place:end]]
            place = end
            continue
        entries.append(_entry(shape, place, each))
        place += _axes_of(each)
    return entries


def _axes_of(each: Any) -> int:
    """How many axes of the array a member of an index stands for."""
    if each is None or each is Ellipsis:
        return 0
    return len(each.shape) if is_array(each) and _kind(each) == "b" else 1


def _kind(array: Any) -> str:
    return shaped(array).dtype.kind


def _entry(shape: tuple[int, ...], place: int, each: Any) -> int | Advanced:
    if each is None:
        return 1
    if isinstance(each, slice):
        return len(range(*each.indices(shape[place])))
    if is_array(each) and _kind(each) == "b":
        return Advanced((_count(shape, place, each),))
    if is_array(each) and _kind(each) not in "iu":
        raise IndexError(f"arrays in an index must be integers or truths, not {each.dtype}")
    numbers = () if isinstance(each, Shaped) else np.asarray(each)
    for wrong in (np.min(numbers), np.max(numbers)) if np.size(numbers) else ():
        if not -shape[place] <= wrong < shape[place]:
            raise IndexError(
                f"index {wrong} is out of range for axis {place} of an array of shape {shape}"
            )
    return Advanced(tuple(getattr(each, "shape", ())))


def _count(shape: tuple[int, ...], place: int, mask: Any) -> int:
    """How many truths of a mask hold."""
    if isinstance(mask, Shaped):
        raise NoNumbersError(
            f"the shape of x[mask], of an array of shape {shape} and a mask of shape {mask.shape}, "
            f"depends on numbers, and here are none; use ops.where(mask, x, 0), or call the model "
            f"on real data instead"
        )
    if tuple(mask.shape) != shape[place : place + len(mask.shape)]:
        raise IndexError(f"a mask of shape {tuple(mask.shape)} on an array of shape {shape}")
    return int(np.count_nonzero(np.asarray(mask)))


def _placed(entries: list[Any]) -> tuple[int, ...]:
    """The shape of what an index takes.

    The broadcast shape of its arrays stands where they are, or first if something parts them.
    """
    arrays = [at for at, each in enumerate(entries) if isinstance(each, Advanced)]
    shapes = [entries[at].shape for at in arrays]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError as error:
        listed = " and ".join(map(str, shapes))
        raise IndexError(f"index arrays of the shapes {listed} do not broadcast") from error
    parted = arrays[-1] - arrays[0] >= len(arrays)
    before = [each for each in entries[: 0 if parted else arrays[0]] if isinstance(each, int)]
    after = [each for each in entries[0 if parted else arrays[0] :] if isinstance(each, int)]
    return (*before, *common, *after)


BY_OPERATOR[op.getitem] = getitem


@stands_for(np.take, name="take")
def take(x: Any, indices: Any, axis: int | None = None) -> Shaped:
    """The entries at integer indices along an axis."""
    x = ravel(x) if axis is None else shaped(x)
    (place,) = normal_axes(axis or 0, x.ndim)
    return getitem(x, ((slice(None),) * place + (indices,)))


@stands_for(np.take_along_axis, name="take_along_axis")
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Shaped:
    """For each place of `indices`, the entry of x there, along an axis."""
    x, indices = ravel(x) if axis is None else shaped(x), shaped(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError(f"take_along_axis: the indices must be integers, not {indices.dtype}")
    (place,) = normal_axes(0 if axis is None else axis, x.ndim)
    others = (*x.shape[:place], 1, *x.shape[place + 1 :])
    try:
        return Shaped(np.broadcast_shapes(others, indices.shape), x.dtype)
    except ValueError as error:
        raise DataError(
            f"take_along_axis: arrays of the shapes {shapes_of(x, indices)} do not fit along "
            f"axis {axis}"
        ) from error
