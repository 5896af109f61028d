"""Trees of lists, tuples and dicts: the same with slots for arrays, and what has changed in one."""

from __future__ import annotations

from operator import eq, is_
from typing import Any

from optshare.narrowing import is_container, is_dict, like
from optshare.slots import Slot
from optshare.tree import children, joined


def slotted(tree: Any, slots: dict[str, Any]) -> Any:
    """The tree with slots in place of their arrays; `None` if one is not in lists and dicts.

    >>> import numpy as np
    >>> slot = Slot(np.zeros(2))
    >>> slotted({"w": [slot.stored, None]}, {"w.0": slot})
    {'w': [Slot(array([0., 0.])), None]}
    """
    missing = dict(slots)
    found = _slotted(tree, "", missing)
    return found if slots and not missing else None


def _slotted(node: Any, path: str, missing: dict[str, Any]) -> Any:
    if path in missing:
        return missing.pop(path)
    if not is_container(node):
        return node
    return like(
        node, [_slotted(each, joined(path, name), missing) for name, each in children(node)]
    )


def filled(node: Any) -> Any:
    """The tree of the arrays that are in the slots now."""
    if node.__class__ is list:
        return [each.stored if isinstance(each, Slot) else filled(each) for each in node]
    if is_container(node):
        return like(node, [filled(each) for _, each in children(node)])
    return node.stored if isinstance(node, Slot) else node


Held = list[tuple[Any, Any]]


def held(node: Any) -> Held:
    """Each list, tuple and dict of a tree, with a copy."""
    if not is_container(node):
        return []
    parts = node.values() if is_dict(node) else node
    below = [pair for each in parts if is_container(each) for pair in held(each)]
    return [(node, dict(node) if is_dict(node) else list(node)), *below]


def is_same(node: Any, copy: Any) -> bool:
    """Whether a list, tuple or dict still holds the objects of its copy, under the same names."""
    if len(node) != len(copy):
        return False
    if is_dict(node):
        return all(map(eq, node, copy)) and all(map(is_, node.values(), copy.values()))
    return all(map(is_, node, copy))
