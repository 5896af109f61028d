"""A case: a layer, what it is called with, and numbers for both that never change."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from optshare.layers import automode, testmode, trainmode
from optshare.moving import to
from optshare.narrowing import is_sequence
from optshare.parameter import Box
from optshare.saving import load_state_dict, state_dict
from optshare.tree import grouped, named_boxes

Shape = tuple[int, ...]


def plainly(layer: Any, *inputs: Any) -> Any:
    """The layer, called with its inputs."""
    return layer(*inputs)


@dataclass(frozen=True)
class Case:
    """A layer and its call.

    Args:
        make: gives a new layer, whose sizes are known.
        inputs: of each input its shape, or its numbers, which are not differentiated.
        training: the mode: `True`, `False`, or `None`, where recording decides.
        call: what is called with the layer and the inputs; it gives an array or a tuple of them.
        name: of the case, from which its numbers come.
    """

    make: Callable[[], Any]
    inputs: tuple[Any, ...]
    training: bool | None = False
    call: Callable[..., Any] = plainly
    name: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether an input has no elements."""
        return any(each.size == 0 for each in self.arrays())

    @property
    def drawn(self) -> list[int]:
        """The places of the inputs that are given by their shapes, and differentiated."""
        return [place for place, each in enumerate(self.inputs) if is_sequence(each)]

    def arrays(self) -> list[Any]:
        """The inputs: numbers for each shape."""
        return [
            self.numbers(f"input/{place}", each) if place in self.drawn else each
            for place, each in enumerate(self.inputs)
        ]

    def layer(self, backend: str, device: Any = None) -> Any:
        """A new layer on a backend, in float64, whose Parameters and statistics have numbers."""
        layer = self.make()
        if held(layer):
            to(layer, backend, dtype="float64", device=device)
            found = state_dict(layer)
            load_state_dict(layer, {path: self._instead(path, x) for path, x in found.items()})
        return layer

    def mode(self, layer: Any) -> AbstractContextManager[Any]:
        """A `with` in which the layer has the mode of the case."""
        return {True: trainmode, False: testmode, None: automode}[self.training](layer)

    def outputs(self, layer: Any, *inputs: Any) -> list[Any]:
        """What the layer gives: one array, or several."""
        found = self.call(layer, *inputs)
        return [*found] if is_sequence(found) else [found]

    def numbers(self, what: str, shape: Shape) -> Any:
        """The numbers of an input or a Parameter, or those that weigh an output in the loss."""
        return numbers(f"{self.name}/{what}", shape)

    def _instead(self, path: str, array: Any) -> Any:
        """Numbers for a path; a variance is positive, and a count stays."""
        if array.dtype.kind != "f":
            return array
        found = self.numbers(path, array.shape)
        return np.abs(found) + 0.5 if path.rpartition(".")[2] == "var" else found


def case(make: Callable[[], Any], *inputs: Any, **more: Any) -> Case:
    """A case, its inputs one by one.

    >>> case(list, (5, 4), (5, 3)).inputs
    ((5, 4), (5, 3))
    """
    return Case(make, inputs, **more)


def held(layer: Any, kind: type[Box] = Box) -> dict[str, Any]:
    """The Parameters and Buffers of a layer, or those of one kind, by their first paths."""
    found = grouped(named_boxes(layer))
    return {each.path: each.key for each in found if isinstance(each.key, kind)}


def numbers(name: str, shape: Shape) -> Any:
    """Numbers in [-1, 1), the same for a name with every version of NumPy, on every machine.

    >>> numbers("dense/input/0", (3,))
    array([-0.74007246, -0.88751653,  0.56766633])
    """
    bits = np.random.PCG64(zlib.crc32(name.encode())).random_raw(math.prod(shape))
    return ((bits >> np.uint64(11)) * 2.0**-52 - 1.0).reshape(shape)


def words(vocabulary: int, *shape: int) -> Any:
    """Indices of words, some of which come twice.

    >>> words(3, 2, 2).tolist()
    [[0, 2], [2, 0]]
    """
    return np.arange(math.prod(shape)).reshape(shape) ** 2 * 2 % vocabulary
