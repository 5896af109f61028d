"""`ops`: the array functions of whatever engine the arguments belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from optshare import registry
from optshare.errors import BackendError, ImplicitUnwrapError
from optshare.namespace.protocol import NN, Function, Namespace, Random
from optshare.narrowing import is_sequence
from optshare.parameter import Box, is_array


def namespace_of(*arrays: Any) -> Namespace:
    """The `ops` of the backend that claims these arrays; resolve once, call often.

    A class of arrays that is no backend's carries its own, as the attribute `optshare_ops`, which
    then serves the other arrays beside it too.

    >>> import numpy as np
    >>> namespace_of(np.ones(2)).exp(np.zeros(2))
    array([1., 1.])
    """
    if len(arrays) == 1 and (sole := registry.sole(arrays[0].__class__)) is not None:
        return sole.ops
    kinds = tuple(map(type, arrays))
    if (sole := registry.sole(kinds)) is not None:
        return sole.ops
    if kinds in _KNOWN:
        return registry.resolve(kinds).ops
    return _resolved(arrays, kinds)


_KNOWN: set[tuple[type, ...]] = set()
"""Types of arrays that some call had, none of them a box or a list."""


def _resolved(arrays: tuple[Any, ...], plain: tuple[type, ...]) -> Namespace:
    kinds = tuple(_kinds(arrays))
    if not kinds and arrays and not isinstance(arrays[0], int | float | complex):
        kinds = (arrays[0].__class__,)  # which nobody claims
    try:
        found = registry.resolve(kinds).ops
    except BackendError:
        return _carried(kinds)
    if kinds == plain:
        _KNOWN.add(kinds)
    return found


def _carried(kinds: tuple[type, ...]) -> Namespace:
    """What one of some types carries, that no backend claims; or else the error at hand goes on."""
    for each in kinds:
        found: Namespace | None = getattr(each, "optshare_ops", None)
        if found is not None:
            return found
    raise


def _kinds(things: Iterable[Any]) -> Iterator[type]:
    """The types of the arrays among some things."""
    for each in things:
        if type(each) in _PLAIN:
            continue
        if is_sequence(each):
            yield from _kinds(each)
        elif isinstance(each, Box):
            yield type(_implicit(each))
        elif is_array(each):
            yield type(each)


_PLAIN = frozenset({int, float, bool, complex, str, type(None)})


def _implicit(box: Box) -> Any:
    """The value of a box that functions of arrays take as it is; another one raises."""
    if not box.implicit:
        raise ImplicitUnwrapError(
            f"ops takes arrays, not a {type(box).__name__}; pass p.value instead"
        )
    return box.value


class _Dispatching:
    """Forwards each function to the namespace of its arguments."""

    def __init__(self, *path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        forward = _forward((*self._path, name))
        setattr(self, name, forward)
        return forward


def _forward(path: tuple[str, ...]) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        backend = registry.sole(args[0].__class__) if len(args) == 1 and not kwargs else None
        if backend is None:
            kinds = tuple(_kinds((*args, *kwargs.values())))
            try:
                found: Any = registry.resolve(kinds).ops
            except BackendError:
                found = _carried(kinds)
        else:
            found = backend.ops
        for name in path:
            found = getattr(found, name)
        return found(*args, **kwargs)

    call.__name__ = call.__qualname__ = path[-1]
    return call


def _facade() -> Namespace:
    facade = cast(Namespace, _Dispatching())
    facade.nn = cast(NN, _Dispatching("nn"))
    facade.random = cast(Random, _Dispatching("random"))
    return facade


ops = _facade()
"""The functions of `optshare.namespace.protocol.Namespace`, for arrays of any engine.

>>> import numpy as np
>>> ops.nn.relu(np.array([-1., 2.]))
array([0., 2.])
"""
