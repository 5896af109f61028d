"""Where the windows of convolutions and pools lie, and what is said if they do not fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from optshare.errors import DataError
from optshare.narrowing import is_sequence

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


class Windows(NamedTuple):
    """The places of a window over the spatial axes of an array; each field counts per axis."""

    space: Sizes
    """The size of the array, without padding."""
    window: Sizes
    stride: Sizes
    padding: Pairs
    """How much is added before the array and after it."""
    dilation: Sizes
    counts: Sizes
    """How many places there are."""

    def along(self, axes: slice) -> Windows:
        """Those of some of the axes."""
        return Windows(
            self.space[axes],
            self.window[axes],
            self.stride[axes],
            self.padding[axes],
            self.dilation[axes],
            self.counts[axes],
        )

    @property
    def padded(self) -> Sizes:
        """The size of the array with its padding."""
        return tuple(n + a + b for n, (a, b) in zip(self.space, self.padding, strict=True))

    @property
    def inside(self) -> tuple[slice, ...]:
        """Where the array lies within its padding."""
        axes = zip(self.space, self.padding, strict=True)
        return tuple(slice(before, before + n) for n, (before, _) in axes)

    @property
    def reach(self) -> Sizes:
        """The size of a window with its holes."""
        return tuple(d * (n - 1) + 1 for n, d in zip(self.window, self.dilation, strict=True))

    @property
    def apart(self) -> bool:
        """Whether no two places overlap."""
        return all(n <= step for n, step in zip(self.reach, self.stride, strict=True))

    @property
    def around(self) -> Pairs:
        """What is added around the places, drawn apart by the stride, for the transpose.

        Then windows of stride 1 over them are as many as the array has elements.
        """
        found: list[tuple[int, int]] = []
        for n, size, step, (before, _), hole, count in zip(*self, strict=True):
            reach = hole * (size - 1)
            found.append((reach - before, n + before - (count - 1) * step - 1))
        return tuple(found)

    @property
    def tile(self) -> bool:
        """Whether each element of the padded array is met once."""
        tiles = zip(self.padded, self.window, self.stride, self.counts, strict=True)
        return all(k == step and count * step == n for n, k, step, count in tiles)

    def slices(self) -> Iterator[tuple[slice, ...]]:
        """For each element of the window, in C order, what it meets of the padded array.

        >>> windows = pool_windows("max_pool", (1, 1, 5), 2, None, 0)
        >>> list(windows.slices())
        [(slice(0, 3, 2),), (slice(1, 4, 2),)]
        """
        axes = zip(self.window, self.stride, self.dilation, self.counts, strict=True)
        return itertools.product(
            *(
                [slice(i * d, i * d + (count - 1) * stride + 1, stride) for i in range(size)]
                for size, stride, d, count in axes
            )
        )


def conv_windows(
    x: Sizes, weight: Sizes, stride: Any, padding: Any, dilation: Any, groups: int
) -> Windows:
    """The windows of a convolution of an array and a weight of these shapes.

    Raises:
        DataError: they do not fit.

    >>> conv_windows((1, 3, 8, 8), (5, 3, 3, 3), 2, 1, 1, 1).counts
    (4, 4)
    """
    shapes = _require_ranks("conv", x, weight)
    _require_groups("conv", weight[0], "output", groups, shapes)
    if x[1] != weight[1] * groups:
        raise DataError(
            f"conv: x has {x[1]} channels, but weight takes {weight[1]} in each of {groups} "
            f"groups, {weight[1] * groups} in all; {shapes}; weight is (out, in / groups, *window)"
        )
    return _placed("conv", x[2:], weight[2:], stride, padding, dilation)


def conv_transpose_windows(
    x: Sizes,
    weight: Sizes,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> Windows:
    """The windows over the answer of a transposed convolution; each element of x is at one.

    Raises:
        DataError: they do not fit.

    >>> conv_transpose_windows((1, 3, 4, 4), (3, 5, 2, 2), 2, 0, 0, 1, 1).space
    (8, 8)
    """
    name, axes = "conv_transpose", len(x) - 2
    shapes = _require_ranks(name, x, weight)
    _require_groups(name, x[1], "input", groups, shapes)
    if x[1] != weight[0]:
        raise DataError(
            f"{name}: x has {x[1]} channels, but weight takes {weight[0]}; {shapes}; "
            f"weight is (in, out / groups, *window)"
        )
    steps, holes = (
        per_axis(name, "stride", stride, axes, 1),
        per_axis(name, "dilation", dilation, axes, 1),
    )
    pads = pairs(name, padding, axes)
    more = extras(name, output_padding, steps, holes)
    space = tuple(
        (n - 1) * step + hole * (size - 1) + 1 + extra - sum(pad)
        for n, size, step, hole, extra, pad in zip(
            x[2:], weight[2:], steps, holes, more, pads, strict=True
        )
    )
    if min(space) < 1:
        raise DataError(
            f"{name}: the answer would have the size {space}; {shapes}; "
            f"padding={padding!r} is too large"
        )
    return Windows(space, weight[2:], steps, pads, holes, x[2:])


def pool_windows(name: str, x: Sizes, window: Any, stride: Any, padding: Any) -> Windows:
    """The windows of a pool over an array of a shape; the stride is the window by default.

    Raises:
        DataError: they do not fit.

    >>> pool_windows("mean_pool", (1, 3, 9, 9), 3, None, 0).counts
    (3, 3)
    """
    if not 3 <= len(x) <= 5:
        raise DataError(
            f"{name}: x has shape {x}; it must be (batch, channels, *space) with 1 to 3 "
            f"spatial axes"
        )
    size = per_axis(name, "window", window, len(x) - 2, 1)
    placed = _placed(name, x[2:], size, size if stride is None else stride, padding, 1)
    require_meeting(name, window, padding, len(x) - 2)
    return placed


def require_meeting(function: str, window: Any, padding: Any, axes: int) -> None:
    """Raise `DataError` where a window could lie in the padding alone.

    >>> require_meeting("max_pool", 3, 1, 2)
    """
    sizes = per_axis(function, "window", window, axes, 1)
    each = zip(sizes, pairs(function, padding, axes), strict=True)
    if any(2 * most > size for size, pair in each for most in pair):
        raise DataError(
            f"{function}: padding={padding!r} is more than half of window={window!r}, so a window "
            f"could lie outside of the array"
        )


def extras(function: str, output_padding: Any, steps: Sizes, holes: Sizes) -> Sizes:
    """What a transposed convolution adds after each axis of its answer.

    Raises:
        DataError: it is as large as the stride and the dilation.

    >>> extras("conv_transpose", 1, (2, 3), (1, 1))
    (1, 1)
    """
    more = per_axis(function, "output_padding", output_padding, len(steps), 0)
    for extra, step, hole in zip(more, steps, holes, strict=True):
        if extra >= max(step, hole):
            raise DataError(
                f"{function}: output_padding={output_padding!r} must be less than "
                f"stride={_short(steps)} or dilation={_short(holes)} on each axis"
            )
    return more


def _short(sizes: Sizes) -> str:
    """Sizes as one number, where all are equal."""
    return repr(sizes[0] if len(set(sizes)) == 1 else sizes)


def per_axis(function: str, name: str, value: Any, axes: int, least: int) -> Sizes:
    """A whole number for each spatial axis.

    Raises:
        DataError: there is another number of them, or one is too small.

    >>> per_axis("conv", "stride", 2, 3, 1)
    (2, 2, 2)
    """
    given = tuple(value) if is_sequence(value) else (value,) * axes
    if len(given) == axes and all(_whole(each, least) for each in given):
        return tuple(map(int, given))
    raise DataError(
        f"{function}: {name}={value!r} must be a whole number, at least {least}, "
        f"or {axes} of them, one for each spatial axis"
    )


def _whole(value: Any, least: int) -> bool:
    kinds: tuple[Any, ...] = (int, np.integer)
    return isinstance(value, kinds) and not isinstance(value, bool) and int(value) >= least


def pairs(function: str, padding: Any, axes: int) -> Pairs:
    """What is added before and after each axis.

    >>> pairs("conv", (1, (0, 2)), 2)
    ((1, 1), (0, 2))
    """
    given = tuple(padding) if is_sequence(padding) else (padding,) * axes
    both = [tuple(each) if is_sequence(each) else (each, each) for each in given]
    if len(both) == axes and all(
        len(pair) == 2 and all(_whole(each, 0) for each in pair) for pair in both
    ):
        return tuple((int(before), int(after)) for before, after in both)
    raise DataError(
        f"{function}: padding={padding!r} must be a whole number, at least 0, or {axes} of them, "
        f"one for each spatial axis; each may be a pair (before, after)"
    )


def _placed(
    function: str, space: Sizes, window: Sizes, stride: Any, padding: Any, dilation: Any
) -> Windows:
    axes = len(space)
    steps = per_axis(function, "stride", stride, axes, 1)
    holes = per_axis(function, "dilation", dilation, axes, 1)
    pads = pairs(function, padding, axes)
    counts = tuple(
        (n + sum(pad) - hole * (size - 1) - 1) // step + 1
        for n, size, step, hole, pad in zip(space, window, steps, holes, pads, strict=True)
    )
    if axes and min(*counts, *space) < 1:
        raise DataError(
            f"{function}: a window of size {window} with dilation={dilation!r} does not fit into "
            f"x, whose spatial size is {space}, with padding={padding!r}; "
            f"take a smaller window or more padding"
        )
    return Windows(space, window, steps, pads, holes, counts)


def _require_ranks(function: str, x: Sizes, weight: Sizes) -> str:
    """Both shapes in words, or `DataError` if they are not those of a convolution."""
    shapes = f"x has shape {x}, weight {weight}"
    if not 3 <= len(x) <= 5 or len(weight) != len(x):
        raise DataError(
            f"{function}: {shapes}; both need the same 3 to 5 axes: x (batch, channels, *space)"
        )
    if min(weight[2:]) < 1:
        raise DataError(f"{function}: {shapes}; the window is empty")
    return shapes


def _require_groups(function: str, channels: int, which: str, groups: Any, shapes: str) -> None:
    if not _whole(groups, 1) or channels % groups:
        raise DataError(
            f"{function}: groups={groups!r} must be a whole number that divides the {channels} "
            f"{which} channels; {shapes}"
        )


def is_even(padding: Pairs) -> bool:
    """Whether as much is added before each axis as after it."""
    return all(before == after for before, after in padding)
