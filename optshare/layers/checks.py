"""What layers ask of their arguments and inputs, with errors that name the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optshare.errors import DataError
from optshare.parameter import is_floating

Activation = Callable[[Any], Any]


def sizes_and_activation(
    name: str, given: Sequence[Any], activation: Activation | None
) -> tuple[list[int], Activation | None]:
    """The sizes among positional arguments, and the activation that may follow them.

    >>> sizes_and_activation("Dense", (3, 2, np.tanh), None)
    ([3, 2], <ufunc 'tanh'>)
    """
    sizes = list(given)
    if sizes and activation is None and _is_activation(sizes[-1]):
        activation = sizes.pop()
    if activation is not None and not callable(activation):
        raise TypeError(f"{name}: the activation must be a function, not {activation!r}")
    return sizes, activation


def _is_activation(thing: Any) -> bool:
    return callable(thing) or thing is None or isinstance(thing, str)


def whole(name: str, **sizes: Any) -> None:
    """Raise unless each size is a whole number of at least 1.

    >>> whole("Dense", out_features=0)
    Traceback (most recent call last):
    optshare.errors.DataError: Dense: out_features must be a whole number, at least 1, not 0
    """
    for size, value in sizes.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise DataError(f"{name}: {size} must be a whole number, at least 1, not {value!r}")


def require_floating(layer: Any, x: Any) -> tuple[int, ...]:
    """The shape of an input; raises unless it is an array of floating numbers."""
    if not is_floating(x):
        kind = getattr(x, "dtype", None)
        what = f"a {type(x).__name__}" if kind is None else f"an array of {kind}"
        raise DataError(f"{layer!r} needs an array of floating numbers, not {what}")
    return tuple(x.shape)


def unfit(layer: Any, what: str, x: Any) -> DataError:
    """What to raise for an input of a wrong shape: `what` says what the layer needs."""
    return DataError(f"{layer!r} needs {what}, not one of shape {tuple(x.shape)}")
