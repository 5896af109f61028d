"""Shapes, indexing and conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare_autograd import derivatives
from optshare_autograd.library import anp, is_box, np, plain
from optshare_autograd.reductions import Axes, normal_axes


def permute_dims(x: Any, axes: Sequence[int]) -> Any:
    """The array with its axes permuted."""
    return anp.transpose(x, normal_axes(tuple(axes), x.ndim))


def matrix_transpose(x: Any) -> Any:
    """The array with its last two axes exchanged."""
    return anp.swapaxes(x, -1, -2)


def expand_dims(x: Any, axis: Axes = 0) -> Any:
    """The array with new axes of size 1."""
    return anp.expand_dims(x, axis)


def broadcast_to(x: Any, shape: int | Sequence[int]) -> Any:
    """The array repeated along new axes and axes of size 1."""
    return derivatives.broadcast(x, tuple(shape) if isinstance(shape, Sequence) else (shape,))


def flip(x: Any, axis: Axes = None) -> Any:
    """The array reversed along axes; along all by default."""
    return derivatives.reverse(x, normal_axes(axis, x.ndim))


def roll(x: Any, shift: Any, axis: Axes = None) -> Any:
    """The array shifted along axes, what leaves one end entering at the other."""
    return derivatives.shift(x, shift, axis)


def concat(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """Arrays one after the other along an axis; flattened first where it is `None`."""
    if axis is None:
        return anp.concatenate([anp.reshape(each, (-1,)) for each in arrays])
    return anp.concatenate(arrays, axis=axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Arrays side by side along a new axis."""
    return anp.concatenate([anp.expand_dims(each, axis) for each in arrays], axis=axis)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries at integer indices along an axis."""
    if axis is None:
        x, axis = anp.reshape(x, (-1,)), 0
    (place,) = normal_axes(axis, x.ndim)
    return x[(slice(None),) * place + (np.asarray(plain(indices)),)]


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """For each place of `indices`, the entry of x there, along an axis."""
    if axis is None:
        x, axis = anp.reshape(x, (-1,)), 0
    (place,) = normal_axes(axis, x.ndim)
    mesh = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    mesh[place] = np.asarray(plain(indices))
    return x[tuple(mesh)]


def astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    """The array in another dtype; a constant, if that is not floating."""
    if not is_box(x):
        return np.asarray(x).astype(dtype, copy=copy)
    if np.dtype(dtype).kind not in "fc":
        return np.asarray(plain(x)).astype(dtype)
    return derivatives.cast(x, dtype)


def asarray(x: Any, dtype: Any = None, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array of what is given; a tracked value stays what it is, a list of some is joined."""
    if is_box(x):
        return x if dtype is None else astype(x, dtype)
    made = np.asarray(x, dtype, device=device, copy=copy)
    return anp.array(x) if made.dtype == object else made
