"""Reshape: other axes after the batch."""

from __future__ import annotations

import math
from typing import Any

from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.layers.base import Layer
from optshare.layers.checks import unfit, whole
from optshare.parameter import is_array


class Reshape(Layer):
    """Keeps the first axis, and gives the others a shape, in C order.

    Args:
        shape: the sizes of the axes after the batch; one may be -1, and is then what is left.

    Shapes: (batch, *any) to (batch, *shape). FLOPs: none.

    Raises:
        DataError: a size is not possible; or when called, the input has another
            number of elements in each row.

    >>> import numpy as np
    >>> Reshape(3, -1)(np.ones((5, 12))).shape
    (5, 3, 4)
    """

    def __init__(self, *shape: int) -> None:
        if shape.count(-1) > 1:
            raise DataError(f"Reshape: only one size may be -1, not {shape.count(-1)} of {shape}")
        whole("Reshape", **{f"size {i}": n for i, n in enumerate(shape) if n != -1})
        self.sizes = shape

    def given(self) -> tuple[Any, ...]:
        """The shape."""
        return self.sizes

    def __call__(self, x: Any) -> Any:
        """The input in the shape (batch, *shape)."""
        if not is_array(x):
            raise DataError(f"{self!r} needs an array, not a {type(x).__name__}")
        found = tuple(x.shape)
        elements = math.prod(found[1:])
        known = math.prod(n for n in self.sizes if n != -1)
        if not found or (elements % known if -1 in self.sizes else elements != known):
            raise unfit(self, f"{self._amount(known)} elements behind the batch axis", x)
        rest = [elements // known if n == -1 else n for n in self.sizes]
        return namespace_of(x).reshape(x, (found[0], *rest))

    def _amount(self, known: int) -> str:
        return f"an array with {'a multiple of ' * (-1 in self.sizes)}{known}"
