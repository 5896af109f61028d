"""What layers over space ask of their windows and inputs, with errors that name the layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.errors import DataError
from optshare.layers.checks import require_floating, unfit
from optshare.namespace.windows import Pairs, Sizes, pairs, per_axis
from optshare.narrowing import is_sequence

_AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def window_of(name: str, window: Any) -> Sizes:
    """A window that tells how many spatial axes there are.

    >>> window_of("Conv", [5, 5])
    (5, 5)
    >>> window_of("Conv", 5)
    Traceback (most recent call last):
    TypeError: Conv: the window must be a tuple with a size for each of 1 to 3 spatial axes, \
such as (5, 5), not 5
    """
    if not is_sequence(window) or not 1 <= len(window) <= 3:
        raise TypeError(
            f"{name}: the window must be a tuple with a size for each of 1 to 3 spatial axes, "
            f"such as (5, 5), not {window!r}"
        )
    return per_axis(name, "window", window, len(window), 1)


def axes_told(*options: Any) -> int | None:
    """How many spatial axes options are for, if one of them counts along each.

    >>> axes_told(2, (1, 1)), axes_told(2, 1)
    (2, None)
    """
    return next((len(each) for each in options if is_sequence(each)), None)


def padding_of(name: str, padding: Any, window: Sizes, steps: Sizes, holes: Sizes) -> Pairs:
    """What is added before and after each axis: by number, or `"same"` or `"valid"`.

    >>> padding_of("Conv", "same", (3, 4), (1, 1), (2, 1))
    ((2, 2), (1, 2))
    """
    if not isinstance(padding, str):
        return pairs(name, padding, len(window))
    if padding == "valid":
        return ((0, 0),) * len(window)
    if padding != "same":
        raise DataError(f"{name}: padding={padding!r} must be 'same', 'valid' or in numbers")
    if set(steps) != {1}:
        raise DataError(f"{name}: padding='same' needs stride=1; with another, give it in numbers")
    reach = [hole * (size - 1) for size, hole in zip(window, holes, strict=True)]
    return tuple((total // 2, total - total // 2) for total in reach)


def images(axes: int | None, channels: int | None = None) -> str:
    """The array that a layer needs, in words.

    >>> images(2, 3)
    'an array (batch, channels, height, width) with 3 channels'
    """
    space = "*space" if axes is None else _AXES[axes]
    end = " with 1 to 3 spatial axes" if axes is None else ""
    count = f" with {channels} channels" if channels else ""
    return f"an array (batch, channels, {space}){end}{count}"


def space_of(layer: Any, x: Any, axes: int | None = None) -> Sizes:
    """The spatial sizes of an input, none 0; raises unless it is an image of floating numbers."""
    space = require_floating(layer, x)[2:]
    if not 1 <= len(space) <= 3 or axes not in (None, len(space)):
        raise unfit(layer, images(axes), x)
    if 0 in space:
        raise unfit(layer, f"{images(len(space))}, none of whose spatial axes is empty", x)
    return space


def naming(layer: Any, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a function gives; its `DataError` names the layer."""
    try:
        return function(*args, **options)
    except DataError as error:
        raise DataError(f"{layer!r}: {error}") from error
