"""What the loops over time of recurrent networks share: gates on plain arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optshare_arrays.devices import zeros


def constants(like: Any) -> tuple[Any, Any]:
    """1/2 and 1 as arrays: NumPy converts a Python number at each use."""
    one = zeros(like, ())
    one[...] = 1
    return one / 2, one


def halved(weight: Any, sigmoids: Iterable[slice]) -> Any:
    """A weight with the gates as rows, halved where a sigmoid is computed as a tanh."""
    turned = weight.T.copy("C")
    for each in sigmoids:
        turned[each] /= 2
    return turned


def to_sigmoid(tanh_of_half: Any, half: Any) -> None:
    """Make sigmoid(x) of tanh(x / 2), in place."""
    tanh_of_half *= half
    tanh_of_half += half


def time_major(x: Any) -> Any:
    """(batch, time, features) as (time * batch, features)."""
    batch, time, features = x.shape
    return x.transpose(1, 0, 2).reshape(time * batch, features)


def batch_major(rows: Any, time: int) -> Any:
    """(time * batch, features) as (batch, time, features)."""
    count, features = rows.shape
    return rows.reshape(time, count // time, features).transpose(1, 0, 2)
