"""SkipConnection, Parallel and Maxout: several layers side by side."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.layers.base import named
from optshare.layers.checks import whole
from optshare.layers.container import Container, Member, require_layers
from optshare.narrowing import is_dict, is_sequence

add: Any = operator.add


class SkipConnection(Container):
    """connection(layers(x), x): their sum by default, as in a residual network.

    Args:
        layers: a layer, a Chain of them, or any callable.
        connection: a function of the output and the input, in this order.

    FLOPs: those of the layers and of the connection.

    Source: He et al., Deep Residual Learning for Image Recognition, 2015.

    >>> SkipConnection(np.negative)(np.array([1.0, 2.0]))
    array([0., 0.])
    """

    def __init__(self, layers: Member, connection: Callable[[Any, Any], Any] = add) -> None:
        require_layers("SkipConnection", [("layers", layers), ("connection", connection)])
        self.layers = layers
        self.connection = connection

    def _through(self, x: Any) -> Any:
        return self.connection(self.layers(x), x)

    def given(self) -> tuple[Any, ...]:
        """The layers and the connection."""
        return (self.layers, *([] if self.connection is add else [self.connection]))


class Parallel(Container):
    """connection(a(x), b(x), ...), or connection(a(x), b(y), ...) of as many inputs as layers.

    Layers are given one by one, or by name: `Parallel(connection, left=Dense(3), right=Dense(3))`.
    Several inputs are given as such, or as one tuple or list, as they pass through a Chain.

    Args:
        connection: a function of all outputs, or a layer. A binary operator of Python's module
            `operator`, or a ufunc of NumPy's, is applied from the left to more than two.
        layers: any callables.
        by_name: the same, with names.

    FLOPs: those of the layers and of the connection.

    Raises:
        DataError: there are several inputs, and not as many as layers.

    >>> from optshare import ops
    >>> both = Parallel(lambda *ys: ops.concat(ys, axis=-1), np.negative, np.square)
    >>> both(np.array([2.0]))
    array([-2.,  4.])
    >>> both(np.array([1.0]), np.array([3.0]))
    array([-1.,  9.])
    """

    def __init__(self, connection: Callable[..., Any], *layers: Member, **by_name: Member) -> None:
        if layers and by_name:
            raise TypeError("Parallel: give all layers a name, or none")
        if not layers and not by_name:
            raise TypeError("Parallel(connection, *layers) needs at least one layer")
        self.connection = connection
        self.layers: Any = dict(by_name) or list(layers)
        """The layers: a list, or a dict where they have names."""
        listed = [("connection", connection), *(by_name.items() or enumerate(layers))]
        require_layers("Parallel", listed)

    def _through(self, *inputs: Any) -> Any:
        layers = [*self]
        if len(inputs) == 1 and is_sequence(inputs[0]):
            inputs = tuple(inputs[0])
        if len(inputs) not in (1, len(layers)):
            raise DataError(
                f"{self!r} has {len(layers)} layers, and was given {len(inputs)} inputs; "
                f"give one for all, or one for each"
            )
        each = inputs * len(layers) if len(inputs) == 1 else inputs
        outputs = [layer(x) for layer, x in zip(layers, each, strict=True)]
        if len(outputs) > 2 and _is_binary(self.connection):
            return reduce(self.connection, outputs)
        return self.connection(*outputs)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.layers.values() if is_dict(self.layers) else self.layers)

    def given(self) -> tuple[Any, ...]:
        """The connection and the layers; with their names if they have some."""
        return self.connection, *(self.layers.items() if is_dict(self.layers) else self.layers)

    def __repr__(self) -> str:
        if not is_dict(self.layers):
            return super().__repr__()
        each = [f"{name}={named(layer)}" for name, layer in self.layers.items()]
        return f"Parallel({', '.join([named(self.connection), *each])})"


def _is_binary(function: Any) -> bool:
    """Whether a function takes two arrays; a third one would be refused, or be written into."""
    return isinstance(function, np.ufunc) or getattr(function, "__module__", None) == "_operator"


class Maxout(Container):
    """max(a(x), b(x), ...), element by element; layers that tie share the gradient evenly.

    `Maxout(a, b)`, or `Maxout(lambda: Dense(3, 2), 4)` of a function that makes each layer and
    their number.

    Args:
        layers: the layers, or a function without arguments and a number.

    FLOPs: those of the layers, and 1 for each element of their outputs.

    Raises:
        DataError: the outputs have different shapes.

    Source: Goodfellow et al., Maxout Networks, 2013.

    >>> Maxout(np.negative, np.square)(np.array([-0.5, 3.0]))
    array([0.5, 9. ])
    """

    def __init__(self, *layers: Any) -> None:
        if len(layers) == 2 and isinstance(layers[1], int):
            make, count = layers
            whole("Maxout", count=count)
            layers = tuple(make() for _ in range(count))
        if not layers:
            raise TypeError("Maxout(*layers) needs at least one layer")
        require_layers("Maxout", enumerate(layers))
        self.layers = list(layers)
        """The layers."""

    def _through(self, x: Any) -> Any:
        outputs = [layer(x) for layer in self.layers]
        shapes = [tuple(each.shape) for each in outputs]
        if len(set(shapes)) > 1:
            raise DataError(f"{self!r} needs outputs of one shape; its layers gave {shapes}")
        ops = namespace_of(*outputs)
        return ops.max(ops.stack(outputs, axis=0), axis=0)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.layers)

    def given(self) -> tuple[Any, ...]:
        """The layers."""
        return tuple(self.layers)
