"""Structures of arrays: nested dicts, lists, tuples and dataclasses, as functions take and give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from optshare.errors import DifferentiationError
from optshare.narrowing import is_dict, is_structure, like, members


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """A structure of the same form, with a function applied to every leaf.

    >>> mapped(abs, {"a": [-1, 2], "b": (-3,)})
    {'a': [1, 2], 'b': (3,)}
    """
    if not is_structure(structure):
        return function(structure)
    return like(structure, [mapped(function, each) for each in members(structure)])


def flat(structure: Any) -> Iterator[Any]:
    """The leaves of a structure, in order.

    >>> list(flat({"a": [-1, 2], "b": (-3,)}))
    [-1, 2, -3]
    """
    if not is_structure(structure):
        yield structure
        return
    for each in members(structure):
        yield from flat(each)


def matched(structure: Any, other: Any) -> list[Any]:
    """The members of another structure, in the order of those of the first.

    Raises:
        DifferentiationError: they are not of one form.

    >>> matched({"a": 1, "b": 2}, {"b": 3, "a": 4})
    [4, 3]
    """
    if _form(structure) != _form(other):
        raise DifferentiationError(
            f"{_named(other)} was given where {_named(structure)} belongs; "
            f"both must have the same structure"
        )
    return [other[each] for each in structure] if is_dict(structure) else members(other)


def beside(structure: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Each leaf of a structure, with what stands in its place in another.

    Raises:
        DifferentiationError: they are not of one form.

    >>> list(beside({"a": 1, "b": [2]}, {"b": [3], "a": [4, 5]}))
    [(1, [4, 5]), (2, 3)]
    """
    if not is_structure(structure):
        yield structure, other
        return
    for part, each in zip(members(structure), matched(structure, other), strict=True):
        yield from beside(part, each)


def _form(structure: Any) -> Any:
    """What structures of one form have in common; a list may stand for a tuple."""
    if is_dict(structure):
        return set(structure)
    if isinstance(structure, list | tuple):
        return len(members(structure))
    return structure.__class__


def _named(thing: Any) -> str:
    named = f"a {type(thing).__name__}"
    if is_dict(thing):
        return f"{named} of {list(thing)}"
    return f"{named} of {len(members(thing))}" if isinstance(thing, list | tuple) else named
