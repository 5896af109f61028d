"""Shapes: reshaping, permuting, joining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare_arrays.axes import Axes, along, normal_axes
from optshare_arrays.broadcasting import broadcast, cast
from optshare_arrays.devices import beside
from optshare_arrays.primitives import (
    Primitive,
    Variadic,
    plain,
    stands_for,
    unboxed,
)
from optshare_arrays.untyped import np

_reshape = Primitive(
    lambda x, shape, before: x.reshape(shape),
    [lambda g, y, x, shape, before: reshape(g, before)],
    name="reshape",
)
_permute = Primitive(
    lambda x, axes: np.transpose(x, axes),
    [lambda g, y, x, axes: _permute(g, np.argsort(axes))],
    name="permute_dims",
)
_roll = Primitive(
    lambda x, shift, axis: np.roll(x, shift, axis),
    [lambda g, y, x, shift, axis: _roll(g, _negated(shift), axis)],
    name="roll",
)


@stands_for(np.reshape)
def reshape(x: Any, shape: int | Sequence[int], **kwargs: Any) -> Any:
    """The array in another shape, in C order."""
    _only(kwargs, order="C", copy=None)
    return _reshape(x, shape, x.shape)


@stands_for(np.transpose)
def transpose(x: Any, axes: Any = None) -> Any:
    """The array with its axes permuted; reversed by default."""
    return permute_dims(x, range(x.ndim)[::-1] if axes is None else axes)


def permute_dims(x: Any, axes: Sequence[int]) -> Any:
    """The array with its axes permuted."""
    return _permute(x, normal_axes(tuple(axes), x.ndim))


def matrix_transpose(x: Any) -> Any:
    """The array with its last two axes exchanged."""
    return swapaxes(x, -1, -2)


@stands_for(np.swapaxes)
def swapaxes(x: Any, one: int, other: int) -> Any:
    """The array with two axes exchanged."""
    axes = list(range(x.ndim))
    axes[one], axes[other] = axes[other], axes[one]
    return permute_dims(x, axes)


@stands_for(np.moveaxis)
def moveaxis(x: Any, source: Axes, destination: Axes) -> Any:
    """The array with some axes at other places."""
    starts, ends = normal_axes(source, x.ndim), normal_axes(destination, x.ndim)
    axes = [axis for axis in range(x.ndim) if axis not in starts]
    for end, start in sorted(zip(ends, starts, strict=True)):
        axes.insert(end, start)
    return permute_dims(x, axes)


@stands_for(np.expand_dims)
def expand_dims(x: Any, axis: Axes = 0) -> Any:
    """The array with new axes of size 1."""
    ndim = x.ndim + (len(axis) if isinstance(axis, Sequence) else 1)
    new = normal_axes(axis, ndim)
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if place in new else next(sizes) for place in range(ndim)))


@stands_for(np.squeeze)
def squeeze(x: Any, axis: Axes = None) -> Any:
    """The array without axes of size 1, all of them or some."""
    ones = tuple(i for i, n in enumerate(x.shape) if n == 1)
    gone = ones if axis is None else normal_axes(axis, x.ndim)
    if any(x.shape[place] != 1 for place in gone):
        raise ValueError(f"cannot squeeze axes {sorted(gone)} of shape {x.shape}: not all are 1")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


@stands_for(np.ravel)
def ravel(x: Any) -> Any:
    """The array with one axis."""
    return reshape(x, (-1,))


@stands_for(np.broadcast_to)
def broadcast_to(x: Any, shape: int | Sequence[int]) -> Any:
    """The array repeated along new axes and axes of size 1."""
    return broadcast(x, tuple(shape) if isinstance(shape, Sequence) else (shape,))


@stands_for(np.astype)
def astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    """The array in another dtype."""
    return cast(x, dtype)


@stands_for(np.roll)
def roll(x: Any, shift: Any, axis: Axes = None) -> Any:
    """The array shifted along axes, what leaves one end entering at the other."""
    return _roll(x, shift, axis)


def _part(place: int, g: Any, y: Any, *arrays: Any, axis: int, sizes: Sequence[int]) -> Any:
    start = sum(sizes[:place])
    return g[along(axis % g.ndim, slice(start, start + sizes[place]))]


def _joined(*arrays: Any, axis: int, sizes: Sequence[int]) -> Any:
    return np.concatenate(arrays, axis=axis)


_concat = Variadic(_joined, [_part], name="concat")


@stands_for(np.concatenate)
def concat(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """Arrays one after the other along an axis; flattened first where it is `None`."""
    parts: list[Any] = [as_array(each) for each in arrays]
    if axis is None:
        parts, axis = [ravel(each) for each in parts], 0
    return _concat(*parts, axis=axis, sizes=[each.shape[axis] for each in parts])


@stands_for(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Arrays side by side along a new axis."""
    parts = [as_array(each) for each in arrays]
    parts = [beside(np.asarray(each), *parts) if np.isscalar(each) else each for each in parts]
    lifted = [expand_dims(each, axis) for each in parts]
    return concat(lifted, axis)


@stands_for(np.vstack)
def vstack(arrays: Sequence[Any]) -> Any:
    """Arrays one below the other; those of one axis become rows."""
    parts = [as_array(each) for each in arrays]
    return concat([expand_dims(each) if each.ndim == 1 else each for each in parts])


@stands_for(np.hstack)
def hstack(arrays: Sequence[Any]) -> Any:
    """Arrays side by side."""
    parts = [as_array(each) for each in arrays]
    return concat(parts, axis=0 if parts[0].ndim == 1 else 1)


@stands_for(np.copy)
def copy(x: Any) -> Any:
    """The array itself: a tracked value is never written."""
    return x


@stands_for(np.shape)
def shape(x: Any) -> tuple[int, ...]:
    """The shape of an array."""
    return plain(x).shape


@stands_for(np.ndim)
def ndim(x: Any) -> int:
    """The number of axes of an array."""
    return plain(x).ndim


@stands_for(np.size)
def size(x: Any) -> int:
    """The number of elements of an array."""
    return plain(x).size


def as_array(x: Any) -> Any:
    """An array of a list of numbers; a Parameter's value; a number or array as it is."""
    if isinstance(x, list | tuple):
        return np.asarray(x)
    return unboxed(x)


def _negated(shift: Any) -> Any:
    return -shift if hasattr(shift, "dtype") else -np.asarray(shift)


def _only(given: dict[str, Any], **allowed: Any) -> None:
    """Refuse an argument of NumPy's that would change what is computed."""
    for name, value in given.items():
        if name not in allowed or value != allowed[name]:
            raise TypeError(f"{name}={value!r} is not supported on tracked values")
