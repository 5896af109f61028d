"""Axes: counted from the front, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

Axes = int | Sequence[int] | None


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front; all of them for `None`.

    Raises:
        AxisError: there is no such axis.
        ValueError: an axis is given twice.

    >>> normal_axes(-1, 3), normal_axes(None, 2)
    ((2,), (0, 1))
    """
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that takes `index` on one axis, and all of those before it.

    >>> along(1, 0)
    (slice(None, None, None), 0)
    """
    return (slice(None),) * axis + (index,)
