"""Container: what layers that hold other layers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from optshare import overlay
from optshare.building import built
from optshare.errors import LocatedError
from optshare.layers.base import Layer, locate
from optshare.tree import boxes

Member = Callable[..., Any]


class Container(Layer):
    """Calls other layers; what they raise about data names the layer by its path.

    A subclass defines `_through`, what a call does. At a first call outside of a differentiation
    all layers take the sizes that were left out, or none does.
    """

    _unbuilt = True

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The output for an input, or for several."""
        try:
            if self._unbuilt:
                self._build(inputs, options)
            return self._through(*inputs, **options)
        except LocatedError as error:
            locate(error, self)
            raise

    def _through(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError

    def _build(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Let the layers take their sizes, all or none; a differentiation has done it before."""
        found = boxes(self)
        if overlay.current() is None:
            built(found, lambda: self._through(*inputs, **options))
        self._unbuilt = not all(box.built for box in found)


def require_layers(name: str, layers: Iterable[tuple[Any, Any]]) -> None:
    """Raise unless all can be called; each comes with its name or place.

    >>> require_layers("Chain", [(0, abs), (1, 2)])
    Traceback (most recent call last):
    TypeError: Chain: layer 1 is a int, which cannot be called; pass layers one by one, Chain(a, b)
    """
    for place, layer in layers:
        if not callable(layer):
            raise TypeError(
                f"{name}: layer {place} is a {type(layer).__name__}, which cannot be called; "
                f"pass layers one by one, {name}(a, b)"
            )
