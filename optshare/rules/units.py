"""The units of a weight: the slices that belong to one output each."""

from __future__ import annotations

from typing import Any

from optshare.rules.array import Site

Axes = tuple[int, ...]


def unit_shape(value: Any, site: Site, otherwise: Axes) -> tuple[int, ...]:
    """The shape of one number for each unit, with the other axes kept as 1.

    A weight whose axes are not known has its units along the axes `otherwise`.

    >>> import numpy as np
    >>> unit_shape(np.ones((2, 3)), Site(0, "w", ((0,), (1,))), (0,))
    (1, 3)
    >>> unit_shape(np.ones((2, 3)), Site(0, "w"), (0,))
    (2, 1)
    >>> unit_shape(np.ones((2, 3)), Site(0, "w", ((), (0, 1))), (0,))
    (2, 1)
    """
    shape = tuple(value.shape)
    outputs = site.fans[1] if site.fans is not None and all(site.fans) else otherwise
    kept = tuple(axis % len(shape) for axis in outputs if shape)
    return tuple(size if axis in kept else 1 for axis, size in enumerate(shape))


def within_units(units: Any) -> Axes:
    """The axes to reduce, of an array of one number for each unit."""
    return tuple(axis for axis, size in enumerate(units.shape) if size == 1)


def zeros(ops: Any, value: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of a shape of at most a value's size along each axis, beside the value."""
    return ops.zeros_like(value[tuple(slice(size) for size in shape)])
