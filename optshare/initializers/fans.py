"""Fan in and fan out: how many numbers enter a unit, and how many units a number reaches."""

from __future__ import annotations

import math

from optshare.errors import InitializerError, choices

MODES = ("fan_in", "fan_out")


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan in and fan out of a weight, by its shape.

    A matrix is (in, out), as in Dense; recurrent weights are (in, gates * hidden),
    an Embedding is (vocabulary, features). With more axes it is the weight of a
    convolution, (out, in / groups, *window), and both are multiplied by the size
    of the window. PyTorch's `Linear` has (out, in): there the two change places.
    For (in, out / groups, *window), a transposed convolution, they are counted
    as in PyTorch, as if it were a convolution.

    Raises:
        InitializerError: there are fewer than two axes.

    >>> fans((784, 100)), fans((20, 3, 5, 5))
    ((784, 100), (75, 500))
    """
    require_axes(shape)
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def fan(shape: tuple[int, ...], mode: str) -> int:
    """The fan that a mode names; of an array without elements at least 1.

    Raises:
        InitializerError: there are fewer than two axes, or there is no such mode.

    >>> fan((784, 100), "fan_out")
    100
    """
    if mode not in MODES:
        raise InitializerError(f"there is no mode {mode!r}; choices: {choices(MODES, str(mode))}")
    return max(1, fans(shape)[MODES.index(mode)])


def require_axes(shape: tuple[int, ...]) -> None:
    """Raise `InitializerError` for fewer than two axes."""
    if len(shape) < 2:
        raise InitializerError(
            f"this initialiser needs at least two axes, as (in, out), not the shape {shape}; "
            f"for fewer take zeros, ones, constant, uniform, normal or truncated_normal"
        )
