"""Type guards whose members stay `Any`: arguments of users hold anything."""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass
from typing import Any, TypeGuard

import numpy as np

_SEQUENCES = list, tuple  # a union, list | tuple, would be made in each call
_CONTAINERS = list, tuple, dict


def is_sequence(thing: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether something is a list or tuple.

    >>> is_sequence([1]), is_sequence("a")
    (True, False)
    """
    return isinstance(thing, _SEQUENCES)


def is_dict(thing: Any) -> TypeGuard[dict[Any, Any]]:
    """Whether something is a dict."""
    return isinstance(thing, dict)


def is_container(thing: Any) -> TypeGuard[list[Any] | tuple[Any, ...] | dict[Any, Any]]:
    """Whether something is a plain list, tuple or dict."""
    return isinstance(thing, _CONTAINERS)


def is_structure(thing: Any) -> bool:
    """Whether something is a plain list, tuple or dict, or an instance of a dataclass.

    One that can be called is a model, not a container of its fields.

    >>> is_structure([1]), is_structure(range(3))
    (True, False)
    """
    record = is_dataclass(thing) and not isinstance(thing, type) and not callable(thing)
    return record or is_container(thing)


def members(structure: Any) -> list[Any]:
    """What a plain container or a dataclass holds, in order.

    >>> members({"a": 1, "b": 2})
    [1, 2]
    """
    if is_dataclass(structure):
        return [getattr(structure, each.name) for each in fields(structure)]
    return list(structure.values() if is_dict(structure) else structure)


def like(structure: Any, members: list[Any]) -> Any:
    """A structure of the same kind, and the same names, with other members.

    Of a dataclass it is a copy, whose `__init__` and `__post_init__` are not called.

    >>> like({"a": 1, "b": 2}, [3, 4])
    {'a': 3, 'b': 4}
    """
    if is_dict(structure):
        return dict(zip(structure, members, strict=True))
    if is_dataclass(structure):
        return _copied(structure, members)
    kind: Any = structure.__class__
    return kind(*members) if hasattr(kind, "_fields") else kind(members)  # a named tuple's


def _copied(record: Any, members: list[Any]) -> Any:
    twin = copy.copy(record)
    for each, member in zip(fields(record), members, strict=True):
        object.__setattr__(twin, each.name, member)  # it may be frozen
    return twin


def is_numpy(thing: Any) -> TypeGuard[np.ndarray[Any, Any]]:
    """Whether something is an array of NumPy's."""
    return isinstance(thing, np.ndarray)


def is_host(thing: Any) -> bool:
    """Whether something is an array or a number of NumPy's own.

    >>> is_host(np.float32(1)), is_host(1.0)
    (True, False)
    """
    return type(thing).__module__ == "numpy"
