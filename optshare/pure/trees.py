"""Trees of arrays: nested containers, dataclasses, and frameworks' own immutable models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from optshare.errors import OptshareError
from optshare.foreign import foreign
from optshare.narrowing import is_dict, is_sequence, is_structure, like, members
from optshare.slots import HeldSlot
from optshare.tree import joined

Named = list[tuple[Any, Any]]


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, in order; `None` is no leaf.

    >>> list(leaves({"a": [1.0, None], "b": (2.0,)}))
    [('a.0', 1.0), ('b.0', 2.0)]
    """
    inside = _inside(tree)
    if inside is None:
        yield path, tree
        return
    for name, child in inside:
        yield from leaves(child, joined(path, str(name)))


def beside(
    tree: Any, other: Any, what: str, error: type[OptshareError], path: str = ""
) -> Iterator[Any]:
    """What stands in another tree at each leaf of a tree; `None` stands for all below it.

    Raises:
        error: the other tree has another form; it says `what` that is, and where.

    >>> list(beside({"a": [1.0, 2.0], "b": 3.0}, {"a": None, "b": 4.0}, "gradient", OptshareError))
    [None, None, 4.0]
    """
    inside = _inside(tree)
    if inside is None:
        yield other
        return
    found = _matched(tree, inside, other, what, error, path)
    for name, child in inside:
        yield from beside(child, found[name], what, error, joined(path, str(name)))


def rebuilt(tree: Any, new: Iterator[Any]) -> Any:
    """A tree of the same kind with the next of some new leaves in place of each.

    >>> rebuilt({"a": [1.0, None], "b": 2.0}, iter("xy"))
    {'a': ['x', None], 'b': 'y'}
    """
    inside = _inside(tree)
    if inside is None:
        return next(new)
    if tree is None:
        return None
    changed = [(name, rebuilt(child, new)) for name, child in inside]
    if is_structure(tree):
        return like(tree, [each for _, each in changed])
    return foreign().rebuilt(tree, dict(changed))


def plain(tree: Any, new: Iterator[Any]) -> Any:
    """The same in dicts, lists and tuples; a dataclass or a model becomes a dict.

    >>> plain({"a": (1.0, None)}, iter("x"))
    {'a': ('x', None)}
    """
    inside = _inside(tree)
    if inside is None:
        return next(new)
    if tree is None:
        return None
    changed = [(name, plain(child, new)) for name, child in inside]
    if not is_sequence(tree):
        return dict(changed)
    whole = [each for _, each in changed]
    return whole if isinstance(tree, list) else tuple(whole)


def _matched(
    tree: Any, inside: Named, other: Any, what: str, error: type[OptshareError], path: str
) -> dict[Any, Any]:
    names = [name for name, _ in inside]
    if other is None:
        return dict.fromkeys(names)
    theirs = _inside(other)
    found = dict(theirs or ())
    if theirs is not None and not is_structure(tree) and not is_structure(other):
        found = {**dict.fromkeys(names), **found}  # a model leaves out what is None
    if theirs is None or set(found) != set(names):
        raise error(
            f"the {what} at {path or 'the top'} is {_told(other)}, where params has {_told(tree)}; "
            f"both must have the same structure"
        )
    return found


def _inside(node: Any) -> Named | None:
    """What a container holds, by name; `None` for a leaf."""
    if node is None:
        return []
    if is_dict(node):
        return list(node.items())
    if is_structure(node):
        if is_dataclass(node):
            return list(zip((each.name for each in fields(node)), members(node), strict=True))
        return list(enumerate(members(node)))
    pairs = foreign().pairs(node)
    if pairs is None or not all(isinstance(box, HeldSlot) for _, box in pairs):
        return None
    return [(path, box.stored) for path, box in pairs]


def _told(node: Any) -> str:
    kind = type(node).__name__
    inside = _inside(node)
    if inside is None:
        shape = getattr(node, "shape", None)
        return f"a {kind}" if shape is None else f"a {kind} of shape {tuple(shape)}"
    return f"a {kind} of {', '.join(str(name) for name, _ in inside) or 'nothing'}"
