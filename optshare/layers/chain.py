"""Chain: one callable after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, overload

from optshare.layers.base import Layer


class Chain(Layer):
    """Calls its layers in order; any callable may stand in it.

    >>> import numpy as np
    >>> double = Chain(lambda x: x + x, np.negative)
    >>> double(np.ones(2))
    array([-2., -2.])
    >>> len(double), double[0](3)
    (2, 6)
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for place, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(
                    f"Chain: layer {place} is a {type(layer).__name__}, which cannot be called; "
                    f"pass layers one by one, Chain(a, b)"
                )
        self.layers = list(layers)

    def __call__(self, x: Any) -> Any:
        """The output of the last layer."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Callable[[Any], Any]: ...

    @overload
    def __getitem__(self, index: slice) -> Chain: ...

    def __getitem__(self, index: int | slice) -> Callable[[Any], Any] | Chain:
        return Chain(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(_named, self.layers))})"


def _named(layer: Callable[[Any], Any]) -> str:
    return repr(layer) if isinstance(layer, Layer) else getattr(layer, "__name__", repr(layer))
