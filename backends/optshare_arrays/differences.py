"""NumPy's differences of neighbours, running products, and evenly spaced numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare_arrays.axes import along, normal_axes
from optshare_arrays.devices import beside
from optshare_arrays.indexing import getitem
from optshare_arrays.namespace import ops
from optshare_arrays.primitives import stands_for
from optshare_arrays.shaping import broadcast_to, concat, ravel
from optshare_arrays.untyped import np

stands_for(np.cumulative_prod)(ops.cumulative_prod)


@stands_for(np.cumprod)
def cumprod(a: Any, axis: int | None = None) -> Any:
    """NumPy's cumulative product: flattened where no axis is given."""
    return ops.cumulative_prod(ravel(a) if axis is None else a, axis=axis or 0)


@stands_for(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, **ends: Any) -> Any:
    """The differences of neighbours along an axis, n times."""
    if set(ends) - {"prepend", "append"}:
        raise TypeError(f"diff takes no {', '.join(ends)}")
    (place,) = normal_axes(axis, a.ndim)
    shape = (*a.shape[:place], 1, *a.shape[place + 1 :])
    wide = {
        name: each if np.ndim(each) else broadcast_to(beside(np.asarray(each, a.dtype), a), shape)
        for name, each in ends.items()
        if each is not np._NoValue
    }
    return ops.diff(a, n=n, axis=place, **wide)


@stands_for(np.gradient)
def gradient(f: Any, *varargs: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Central differences along axes, one-sided at the ends.

    Args:
        f: the array.
        varargs: the distance of neighbours, one for all axes or one for each; 1 by default.
        axis: the axes; all by default.
    """
    axes = normal_axes(axis, f.ndim)
    steps = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    if any(np.ndim(each) for each in steps):
        raise ValueError("gradient with coordinates is not supported on tracked values; give steps")
    found = [_slope(f, each, step) for each, step in zip(axes, steps, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slope(f: Any, axis: int, step: Any) -> Any:
    def part(start: int | None, end: int | None) -> Any:
        return getitem(f, along(axis, slice(start, end)))

    inner = (part(2, None) - part(None, -2)) / (2 * step)
    first, last = (part(1, 2) - part(0, 1)) / step, (part(-1, None) - part(-2, -1)) / step
    return concat([first, inner, last], axis=axis)


@stands_for(np.linspace)
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Any:
    """Evenly spaced numbers along a new first axis, from one array to another."""
    count = num - 1 if endpoint else num
    weights = np.arange(num).reshape((num,) + (1,) * max(np.ndim(start), np.ndim(stop)))
    share = beside(weights / max(count, 1), start, stop)
    return start * (1 - share) + stop * share
