"""Random arrays, drawn on the host and brought to where they are used."""

from __future__ import annotations

from typing import Any

from optshare.extend import host_bernoulli
from optshare_arrays.devices import beside


def bernoulli(key: tuple[int, ...], probability: float, like: Any) -> Any:
    """0 and 1, the latter with a probability, in the shape and dtype of an array."""
    drawn = host_bernoulli(key, probability, tuple(like.shape))
    return beside(drawn.astype(like.dtype), like)
