"""Recipes: how the first value of a Parameter is drawn, once its shape is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.errors import ParameterError, UnbuiltError

Shape = tuple[int, ...]
Sizes = tuple[int | None, ...]
"""A shape in which `None` stands for a size that the first input tells."""


def agrees(sizes: Sizes, shape: Shape) -> bool:
    """Whether a shape has the sizes that are known.

    >>> agrees((None, 3), (7, 3)), agrees((None, 3), (7, 4)), agrees((None, 3), (3,))
    (True, False, False)
    """
    pairs = zip(sizes, shape, strict=False)
    return len(sizes) == len(shape) and all(known in (None, size) for known, size in pairs)


class Recipe:
    """Draws a value on the host; stands in a box for the value until the shape is known.

    Args:
        init: `init(shape, dtype, rng)` draws an array of NumPy's.
        shape: `None` where a size is not known yet.
        dtype: of the value.
        rng: where to draw from.

    >>> recipe = Recipe(lambda shape, dtype, rng: np.ones(shape, dtype), (None, 3), "float32")
    >>> recipe
    Recipe((None, 3), float32)
    >>> recipe.drawn((1, 3))
    array([[1., 1., 1.]], dtype=float32)
    """

    __slots__ = ("_init", "_place", "_rng", "dtype", "shape")

    def __init__(
        self,
        init: Callable[..., Any],
        shape: Sizes,
        dtype: Any,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._init = init
        self._rng = rng
        self._place: Callable[..., Any] | None = None
        self.shape = shape
        self.dtype = np.dtype(dtype)

    @property
    def is_complete(self) -> bool:
        """Whether every size is known."""
        return None not in self.shape

    def drawn(self, shape: Shape | None = None, rng: np.random.Generator | None = None) -> Any:
        """A value of a shape that agrees with what is known, in the memory of its engine."""
        wanted: Any = self.shape if shape is None else self.agreeing(shape)
        return self.placed(self._init(wanted, self.dtype, self._rng if rng is None else rng))

    def agreeing(self, shape: Shape) -> Shape:
        """A shape, if it has the sizes that are known; else raises `ParameterError`."""
        if not agrees(self.shape, shape):
            raise ParameterError(f"Parameter has shape {self.shape}, the new value has {shape}")
        return shape

    def placed(self, array: Any) -> Any:
        """An array of NumPy's where the value belongs."""
        return array if self._place is None else self._place(array)

    def moved(self, place: Callable[..., Any], dtype: Any) -> Recipe:
        """The same recipe for another memory and dtype; `place(array)` puts a value there."""
        copied = Recipe(self._init, self.shape, dtype, self._rng)
        copied._place = place
        return copied

    def missing(self, kind: str) -> UnbuiltError:
        """What to raise where the value is read before it is there."""
        return UnbuiltError(
            f"a {kind} of shape {self.shape} has no value yet, for its layer takes the missing "
            f"size from its first input; call build(model, input_shape), or the model on data"
        )

    def __repr__(self) -> str:
        return f"Recipe({self.shape}, {self.dtype})"
