"""Layer: the base of the bundled layers. Yours need none."""

from __future__ import annotations

import inspect
from functools import cache
from types import FrameType, FunctionType
from typing import Any

from optshare.errors import InPlaceError, LocatedError
from optshare.parameter import Box, Parameter
from optshare.tree import parts


class Guarded:
    """Guards the identity of the Parameters that are its attributes."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(getattr(self, name, None), Parameter) and not isinstance(value, Parameter):
            raise InPlaceError(
                f"{type(self).__name__}.{name} is a Parameter; assigning an array would lose "
                f"its identity and state. Write layer.{name}.value = ..."
            )
        super().__setattr__(name, value)


class Layer(Guarded):
    """A callable with parameters, which guards their identity.

    Layers are equal if they are of one class and made with equal options; what
    their parameters hold, and the sizes they took from an input, do not count.
    An option is an argument of the constructor that the layer keeps under the
    same name.

    >>> import numpy as np
    >>> from optshare.layers import Dense
    >>> Dense(100) == Dense(100), Dense(100) == Dense(784, 100)
    (True, False)
    >>> Dense(2, 2).weight = np.zeros((2, 2))
    Traceback (most recent call last):
    optshare.errors.InPlaceError: Dense.weight is a Parameter; assigning an array would lose \
its identity and state. Write layer.weight.value = ...
    """

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The output for an input; some layers take several."""
        raise NotImplementedError

    def given(self) -> tuple[Any, ...]:
        """The positional arguments that the layer was made with."""
        return ()

    def options(self) -> dict[str, Any]:
        """The keyword arguments that the layer was made with, where they are not the defaults."""
        found = {name: _option(self, name, default) for name, default in _defaults(type(self))}
        return {
            name: found[name] for name, default in _defaults(type(self)) if found[name] != default
        }

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Layer):
            return NotImplemented
        return self.given() == other.given() and self.options() == other.options()

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        options = [f"{name}={named(value)}" for name, value in self.options().items()]
        return f"{type(self).__name__}({', '.join([*map(named, self.given()), *options])})"


_UNSHOWN = {"activation", "dtype", "init", "rng", "seed", "tie"}
"""Options that say nothing of the structure, or that `given` has; also `bias_init` and its like."""


@cache
def _defaults(kind: type[Layer]) -> list[tuple[str, Any]]:
    """The keyword arguments of a layer's constructor, with their defaults."""
    return [
        (each.name, each.default)
        for each in inspect.signature(kind).parameters.values()
        if each.kind is each.KEYWORD_ONLY and each.name.rpartition("_")[2] not in _UNSHOWN
    ]


def _option(layer: Layer, name: str, default: Any) -> Any:
    """An option as it was given; a layer keeps a Parameter or `None` where it was a truth."""
    value = getattr(layer, name)
    return value is not None if isinstance(default, bool) and not isinstance(value, bool) else value


def named(thing: Any) -> str:
    """How a layer, a function or an option is shown in the `repr` of a layer."""
    if callable(thing) and not isinstance(thing, Layer):
        return getattr(thing, "__name__", repr(thing))
    return f"<{type(thing).__name__}>" if isinstance(thing, Box) else repr(thing)


def locate(error: LocatedError, model: Any) -> None:
    """Let an error name the part of a model in which it was raised."""
    paths = {id(_called(part)): path for path, part in parts(model) if path}
    traceback = error.__traceback__
    while traceback is not None:
        inside: FrameType = traceback.tb_frame
        for each in (inside.f_locals.get("self"), inside.f_code):
            error.path = paths.get(id(each), error.path)
        traceback = traceback.tb_next


def _called(part: Any) -> Any:
    """What a frame in which a part runs refers to: a function's code, or the object."""
    return part.__code__ if isinstance(part, FunctionType) else part
