"""The last touch on gradients before a user sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optshare.extend import DifferentiationError
from optshare_arrays.primitive import Traceable, unbroadcast


def own(gradients: Sequence[Any], inputs: Sequence[Any], seed: Any) -> list[Any]:
    """Gradients in their inputs' dtypes, none of which shares memory with anything else.

    Args:
        gradients: one for each input, or `None`.
        inputs: the arrays they belong to.
        seed: the cotangent that the backward pass began with.
    """
    seen = {id(seed)}
    owned: list[Any] = []
    for gradient, array in zip(gradients, inputs, strict=True):
        if gradient is not None and not isinstance(gradient, Traceable):
            gradient = _owned(unbroadcast(gradient, array), seen)
            seen.add(id(gradient))
        owned.append(gradient)
    return owned


def _owned(gradient: Any, seen: set[int]) -> Any:
    if isinstance(gradient, np.generic):
        return np.asarray(gradient)
    if id(gradient) in seen or gradient.base is not None or not gradient.flags.writeable:
        return gradient.copy()
    return gradient


def checked_seed(seed: Any, value: Any) -> Any:
    """A seed as an array of the dtype of the value; raises unless the shapes are equal."""
    if isinstance(seed, Traceable):
        return seed
    array = np.asarray(seed, value.dtype)
    if array.shape != value.shape:
        raise DifferentiationError(
            f"the seed has shape {array.shape}, the value {value.shape}; they must be equal"
        )
    return array
