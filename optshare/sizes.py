"""The sizes of a model: what comes out of it, and what its parameters are, without computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from optshare.building import Building
from optshare.dtypes import host_dtype
from optshare.errors import LocatedError, UnbuiltError
from optshare.initializers import generator
from optshare.layers.base import locate
from optshare.narrowing import is_sequence
from optshare.recipes import Shape, Sizes
from optshare.shapes import Shaped
from optshare.tree import boxes, params

M = TypeVar("M", bound=Callable[..., Any])


class Shaping(Building):
    """A `with` in which Parameters and Buffers read as arrays without numbers."""

    __slots__ = ("shapes",)

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[Any, Shape] = {}
        """The shapes that layers took from their inputs."""

    def build(self, box: Any, shape: Shape) -> None:
        """Note the shape."""
        self.shapes[box] = box.recipe.agreeing(shape)

    def shape(self, box: Any) -> Sizes:
        """The shape of a Parameter or Buffer, with `None` for a size that no call has told."""
        return self.shapes.get(box, tuple(box.shape))

    def read(self, box: Any) -> Shaped:
        """An array of the shape of a Parameter."""
        shape: Any = self.shape(box)
        if None in shape:
            box.outside()  # raises, for it has no value
        return Shaped(shape, host_dtype(box.dtype))

    def read_buffer(self, buffer: Any) -> Shaped:
        """An array of the shape of a Buffer."""
        return self.read(buffer)


def shaped(model: Callable[..., Any], *shapes: Any, dtype: Any = np.float32) -> tuple[Any, Shaping]:
    """What a model gives for inputs without numbers, and the sizes that its layers took.

    Raises:
        DataError: an input does not fit a layer.
        NoNumbersError: the model asks for numbers.
    """
    shaping = Shaping()
    try:
        with shaping:
            return model(*(Shaped(shape, dtype) for shape in shapes)), shaping
    except LocatedError as error:
        locate(error, model)
        raise


def outputsize(model: Callable[..., Any], *shapes: Shape, dtype: Any = np.float32) -> Any:
    """The shape of what a model gives, without computing it; the model is unchanged.

    Args:
        model: any callable of array functions; sizes may have been left out.
        shapes: of each input, with the batch.
        dtype: of the inputs; that of labels or words is an integer one.

    Returns:
        A shape; a tuple of shapes where the model gives several arrays.

    Raises:
        DataError: an input does not fit a layer, which the error names by its path.
        NoNumbersError: the model asks for the numbers of an array.

    >>> from optshare import Chain, Dense, Flatten
    >>> outputsize(Chain(Flatten(), Dense(100), Dense(10)), (32, 1, 28, 28))
    (32, 10)
    """
    return _shapes(shaped(model, *shapes, dtype=dtype)[0])


outdims = outputsize


def _shapes(output: Any) -> Any:
    if is_sequence(output):
        return tuple(_shapes(each) for each in output)
    return tuple(output.shape)


def build(model: M, *shapes: Shape, dtype: Any = np.float32) -> M:
    """Give every Parameter of a model its first value, from the shapes of the inputs.

    Nothing is computed but these values. All are drawn, or none. A Parameter that
    has a value keeps it.

    Raises:
        DataError, NoNumbersError: see `outputsize`.
        UnbuiltError: the call did not reach some layer.

    >>> from optshare import Chain, Dense, params
    >>> [p.shape for p in params(build(Chain(Dense(3), Dense(2)), (1, 4)))]
    [(4, 3), (3,), (3, 2), (2,)]
    """
    _, shaping = shaped(model, *shapes, dtype=dtype)
    for box in boxes(model):
        if not box.built and box not in shaping.shapes:
            raise UnbuiltError(
                f"{type(model).__name__}: a call does not reach the {type(box).__name__} of shape "
                f"{box.shape}; call its layer on data"
            )
    drawn = [(box, box.recipe.drawn(shape)) for box, shape in shaping.shapes.items()]
    for box, array in drawn:
        box.accept(array)
    return model


def weights(
    model: Callable[..., Any],
    *shapes: Shape,
    rng: np.random.Generator | None = None,
    dtype: Any = np.float32,
) -> list[Any]:
    """New weights for a model, parallel to `params(model)`, which itself stays without them.

    Args:
        model: made of layers; of a Parameter that no layer made, its value is copied.
        shapes: of each input, with the batch.
        rng: where to draw from; by default what `optshare.seed` started.
        dtype: of the inputs.

    Raises:
        DataError, NoNumbersError: see `outputsize`.

    >>> from optshare import Chain, Dense, operator
    >>> net = Chain(Dense(100), Dense(10))
    >>> w = weights(net, (1, 784), rng=np.random.default_rng(0))
    >>> operator(net)(w, np.ones((5, 784), np.float32)).shape
    (5, 10)
    """
    _, shaping = shaped(model, *shapes, dtype=dtype)
    drawing = generator(rng)
    return [
        box.fitted(box.stored)
        if box.recipe is None
        else box.recipe.drawn(shaping.shape(box), drawing)
        for box in params(model)
    ]
