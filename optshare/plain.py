"""The caller's own tree of arrays: slots around its leaves, which follow it and make it anew."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from optshare.errors import ParameterError
from optshare.narrowing import is_container
from optshare.parameter import is_array
from optshare.slots import Slot
from optshare.slotted import Held, filled, held, is_same, slotted
from optshare.tree import children, joined, leaves, rebuilt


class PlainTree:
    """A model whose arrays the caller holds, in lists, tuples, dicts and immutable modules.

    Of any other model it has no slots, and nothing to follow.

    Raises:
        ParameterError: a number or text stands among the arrays.
    """

    def __init__(self, model: Any, pairs: list[tuple[str, Any]]) -> None:
        self._model = model
        self.slots = {path: key for path, key in pairs if isinstance(key, Slot)}
        if self.slots:
            _require_arrays(model, "")
        self._seen = {path: slot.stored for path, slot in self.slots.items()}
        self._others = _others(model)
        self._slotted = slotted(model, self.slots)
        self._held: Held | None = None  # a slot may be older than what stands in its place
        self.form = object()
        """A new object whenever the caller has put in place what is no array."""

    @property
    def model(self) -> Any:
        """The model; of an immutable tree the current one, which updates have made."""
        moved = {path: slot.stored for path, slot in self.slots.items()}
        if any(self._seen[path] is not array for path, array in moved.items()):
            self._take(self._made(moved), moved)
        return self._model

    def _made(self, arrays: dict[str, Any]) -> Any:
        """The tree with other arrays in its slots."""
        if self._slotted is not None and self._is_as_seen():
            return filled(self._slotted)
        return rebuilt(self._model, arrays)

    def _is_as_seen(self) -> bool:
        """Whether the caller has changed nothing in the lists and dicts of the tree."""
        return self._held is not None and all(is_same(*each) for each in self._held)

    def _take(self, model: Any, arrays: dict[str, Any]) -> None:
        """Take a tree with these arrays as the current one."""
        if self._slotted is None or not self._is_as_seen():
            self._others, self._slotted = _others(model), slotted(model, self.slots)
        self._model, self._seen, self._held = model, arrays, held(model)

    def is_model(self, part: Any) -> bool:
        """Whether a part is the whole model, as it is now or was before the last update."""
        return part is self._model or part is self.model

    def constants(self) -> dict[str, Any]:
        """The arrays of the tree that are in no slot, by path: nobody trains them."""
        known = self.slots
        found = leaves(self.model) if known else []
        return {path: _array(leaf) for path, leaf in found if path not in known}

    def called(
        self, form: object, fn: Callable[..., Any], constants: dict[str, Any], *args: Any
    ) -> Any:
        """`fn(tree, *args)`, with the tree as it reads inside a differentiation."""
        values = {path: slot.value for path, slot in self.slots.items()}
        return fn(rebuilt(self._model, {**constants, **values}), *args)

    def follow(self) -> None:
        """Take up arrays that the caller has put in the place of old ones; state stays."""
        if not (self.slots and is_container(self.model)):  # what is no container cannot change
            return
        if self._is_as_seen():
            return
        now = [(path, _array(leaf)) for path, leaf in leaves(self.model) if path in self.slots]
        replaced = [
            (path, self.slots[path], leaf) for path, leaf in now if leaf is not self._seen[path]
        ]
        for _, slot, leaf in replaced:
            slot.fitting(leaf)
        for path, slot, leaf in replaced:
            slot.stored = self._seen[path] = leaf
        others = _others(self._model)
        if any(one is not other for one, other in zip_longest(others, self._others)):
            self._others, self.form = others, object()
        self._slotted, self._held = slotted(self._model, self.slots), held(self._model)


def _others(node: Any) -> list[Any]:
    """What is no array, and no container, of a plain tree."""
    if is_container(node):
        return [each for _, child in children(node) for each in _others(child)]
    return [] if is_array(node) else [node]


def _array(leaf: Any) -> Any:
    return leaf.stored if isinstance(leaf, Slot) else leaf


def _require_arrays(node: Any, path: str) -> None:
    """Raise for a number or text among the arrays of a plain tree."""
    if is_container(node):
        for name, child in children(node):
            _require_arrays(child, joined(path, name))
    elif isinstance(node, str | bytes | int | float | complex):
        raise ParameterError(
            f"the tree has the {type(node).__name__} {node!r} at {path!r}, among its arrays; "
            f"keep it outside, or make an array of it"
        )
