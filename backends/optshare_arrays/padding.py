"""Padding: with a constant, or with what the array has at its edges."""

from __future__ import annotations

from typing import Any

from optshare_arrays.indexing import getitem, take
from optshare_arrays.primitives import Primitive, stands_for
from optshare_arrays.untyped import np

_BY_PLACE = ("edge", "reflect", "symmetric", "wrap")


def _inside(y: Any, widths: Any) -> tuple[slice, ...]:
    """The index that takes away what was added."""
    return tuple(slice(b, n - a) for n, (b, a) in zip(y.shape, widths, strict=True))


_pad = Primitive(
    lambda x, widths, value: np.pad(x, widths, constant_values=value),
    [lambda g, y, x, widths, value: getitem(g, _inside(y, widths))],
    name="pad",
)


@stands_for(np.pad)
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    """The array with more at both ends of its axes.

    Args:
        x: the array.
        pad_width: how much before and after, for each axis; one pair, or one
            number, counts for all.
        mode: `"constant"`; or `"edge"`, `"reflect"`, `"symmetric"` or `"wrap"`,
            which repeat elements of the array.
        constant_values: the constant.

    Raises:
        ValueError: a negative width, or another mode.
    """
    pairs = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    widths = tuple((int(before), int(after)) for before, after in pairs)
    if mode == "constant":
        return _pad(x, widths, constant_values)
    if mode not in _BY_PLACE:
        raise ValueError(f"no mode {mode!r} of pad; choices: constant, {', '.join(_BY_PLACE)}")
    for axis, width in enumerate(widths):
        if any(width):
            x = take(x, np.pad(np.arange(x.shape[axis]), width, mode=mode), axis)
    return x
