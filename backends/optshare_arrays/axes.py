"""Axes: counted from the front, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from numpy.exceptions import AxisError

Axes = int | Sequence[int] | None


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front; all of them for `None`.

    Raises:
        AxisError: there is no such axis.

    >>> normal_axes(-1, 3), normal_axes(None, 2)
    ((2,), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    axes = cast(Sequence[int], axis if isinstance(axis, Sequence) else (axis,))
    for each in axes:
        if not -ndim <= each < ndim:
            raise AxisError(each, ndim)
    return tuple(each % ndim for each in axes)


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that takes `index` on one axis, and all of those before it.

    >>> along(1, 0)
    (slice(None, None, None), 0)
    """
    return (slice(None),) * axis + (index,)
