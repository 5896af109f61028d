"""All that is saved of a model: its Parameters, its Buffers and its plain arrays, by path."""

from __future__ import annotations

from typing import Any

from optshare.errors import EmptyModelError, WeightsError
from optshare.foreign import foreign
from optshare.narrowing import is_container
from optshare.parameter import Box, is_array
from optshare.slots import slot
from optshare.tree import Named, children, grouped, joined

Pairs = list[tuple[str, Any]]


def inventory(model: Any) -> list[Named]:
    """Each Parameter and Buffer of a model once, with all its paths, in the order of definition.

    An array of a plain list, tuple or dict is given as a Slot around it, and what
    a framework's own module holds beside its parameters as Buffers, after these.

    Raises:
        EmptyModelError: there is nothing.
        WeightsError: two of them have one path.

    >>> from optshare.parameter import Buffer, Parameter
    >>> w = Parameter([1.])
    >>> [(each.path, each.aliases) for each in inventory({"a": w, "n": Buffer(0), "b": w})]
    [('a', ('b',)), ('n', ())]
    """
    boxes: dict[int, Any] = {}
    pairs: Pairs = []
    for path, leaf in _below(model, True, {}):
        box = leaf if isinstance(leaf, Box) else slot(leaf)
        pairs.append((path, boxes.setdefault(id(getattr(box, "known_as", box)), box)))
    if not pairs:
        raise EmptyModelError(f"{type(model).__name__} holds no Parameter and no Buffer")
    _require_one_each(pairs)
    return grouped(pairs)


def _below(node: Any, plain: bool, memo: dict[tuple[int, bool], Pairs]) -> Pairs:
    """The boxes and arrays below a node; `plain` says that only containers led here."""
    if isinstance(node, Box):
        return [("", node)]
    native = foreign().pairs(node)
    if native is not None:
        return [*native, *foreign().buffers(node)]
    if is_array(node):
        return [("", node)] if plain else []
    plain = plain and is_container(node)
    place = id(node), plain
    if place not in memo:
        memo[place] = []  # what a cycle back to here finds
        memo[place] = [
            (joined(name, path), leaf)
            for name, child in children(node)
            for path, leaf in _below(child, plain, memo)
        ]
    return memo[place]


def _require_one_each(pairs: Pairs) -> None:
    owners: dict[str, Any] = {}
    for path, box in pairs:
        if owners.setdefault(path, box) is not box:
            raise WeightsError(
                f"two arrays of the model have the path {path!r}; give their places other names"
            )
