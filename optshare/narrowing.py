"""Type guards whose members stay `Any`: arguments of users hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np


def is_sequence(thing: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether something is a list or tuple.

    >>> is_sequence([1]), is_sequence("a")
    (True, False)
    """
    return isinstance(thing, list | tuple)


def is_dict(thing: Any) -> TypeGuard[dict[Any, Any]]:
    """Whether something is a dict."""
    return isinstance(thing, dict)


def is_container(thing: Any) -> TypeGuard[list[Any] | tuple[Any, ...] | dict[Any, Any]]:
    """Whether something is a plain list, tuple or dict."""
    return isinstance(thing, list | tuple | dict)


def members(container: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> list[Any]:
    """What a plain container holds, in order.

    >>> members({"a": 1, "b": 2})
    [1, 2]
    """
    return list(container.values() if isinstance(container, Mapping) else container)


def like(container: Any, members: list[Any]) -> Any:
    """A container of the same kind, and the same names, with other members.

    >>> like({"a": 1, "b": 2}, [3, 4])
    {'a': 3, 'b': 4}
    """
    if is_dict(container):
        return dict(zip(container, members, strict=True))
    kind: Any = container.__class__
    return kind(*members) if hasattr(kind, "_fields") else kind(members)  # a named tuple's


def is_numpy(thing: Any) -> TypeGuard[np.ndarray[Any, Any]]:
    """Whether something is an array of NumPy's."""
    return isinstance(thing, np.ndarray)


def is_host(thing: Any) -> bool:
    """Whether something is an array or a number of NumPy's own.

    >>> is_host(np.float32(1)), is_host(1.0)
    (True, False)
    """
    return type(thing).__module__ == "numpy"
