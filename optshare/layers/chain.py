"""Chain: one callable after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

from optshare.layers.base import named
from optshare.layers.container import Container, Member, require_layers
from optshare.narrowing import is_dict


class Chain(Container):
    """Calls its layers in order; any callable may stand in it.

    Layers are given one by one, or by name: `Chain(body=Dense(3), head=Dense(2))`.
    Where an input does not fit, the error names the layer by its path.

    >>> import numpy as np
    >>> double = Chain(lambda x: x + x, np.negative)
    >>> double(np.ones(2))
    array([-2., -2.])
    >>> len(double), double[0](3)
    (2, 6)
    >>> parts = Chain(twice=double[0], back=double[1])
    >>> parts["twice"](3), list(parts.layers)
    (6, ['twice', 'back'])
    """

    def __init__(self, *layers: Member, **by_name: Member) -> None:
        if layers and by_name:
            raise TypeError("Chain: give all layers a name, or none")
        self.layers: Any = dict(by_name) or list(layers)
        """The layers: a list, or a dict where they have names."""
        require_layers("Chain", by_name.items() or enumerate(layers))

    def _through(self, x: Any) -> Any:
        for layer in self.layers if self.layers.__class__ is list else self.layers.values():
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._listed())

    @overload
    def __getitem__(self, index: int | str) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Chain: ...

    def __getitem__(self, index: int | str | slice) -> Any:
        if isinstance(index, str):
            return self.layers[index]
        if not isinstance(index, slice):
            return self._listed()[index]
        if is_dict(self.layers):
            return Chain(**dict([*self.layers.items()][index]))
        return Chain(*self.layers[index])

    def _listed(self) -> list[Member]:
        return [*self.layers.values()] if is_dict(self.layers) else self.layers

    def given(self) -> tuple[Any, ...]:
        """The layers; with their names if they have some."""
        return tuple(self.layers.items() if is_dict(self.layers) else self.layers)

    def __repr__(self) -> str:
        if not is_dict(self.layers):
            return super().__repr__()
        return f"Chain({', '.join(f'{name}={named(each)}' for name, each in self.layers.items())})"
