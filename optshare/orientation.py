"""Which axes of a weight are its inputs and which its outputs, and where a parameter stands."""

from __future__ import annotations

from typing import NamedTuple

Fans = tuple[tuple[int, ...], tuple[int, ...]]
"""The axes of the inputs and those of the outputs; the others count matrices."""

NO_MATRIX: Fans = ((), ())
"""What maps nothing linearly: an Embedding, the weights of a normalisation."""


class Site(NamedTuple):
    """Where a parameter stands in a model.

    >>> Site(0, "layers.0.weight", first_in(2)).fans
    ((0,), (1,))
    """

    place: int = 0
    """Its index among the parameters."""
    path: str = ""
    fans: Fans | None = None
    """The axes of its inputs and of its outputs; `None` where the model does not tell."""


def first_in(ndim: int) -> Fans:
    """The first axis holds the inputs, as in Dense and ConvTranspose.

    >>> first_in(4)
    ((0,), (1, 2, 3))
    """
    return (0,), tuple(range(1, ndim))


def first_out(ndim: int) -> Fans:
    """The first axis holds the outputs, as in Conv and PyTorch's Linear.

    >>> first_out(4)
    ((1, 2, 3), (0,))
    """
    return tuple(range(1, ndim)), (0,)
