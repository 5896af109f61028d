"""Flatten: one axis after the batch."""

from __future__ import annotations

from typing import Any

from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.layers.base import Layer


class Flatten(Layer):
    """Keeps the first axis, and makes one of the others.

    >>> import numpy as np
    >>> Flatten()(np.ones((5, 2, 3))).shape
    (5, 6)
    """

    def __call__(self, x: Any) -> Any:
        """The input in the shape (batch, features)."""
        if not getattr(x, "shape", ()):
            raise DataError(f"{self!r} needs an array with a batch axis, not {type(x).__name__}")
        features = 1
        for size in x.shape[1:]:
            features *= size
        return namespace_of(x).reshape(x, (x.shape[0], features))
