"""What may stand for some parameters: a path pattern, a class, a predicate, a part of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from itertools import takewhile
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from optshare.binding import Binding, known_as
from optshare.errors import GroupError
from optshare.narrowing import is_sequence
from optshare.parameter import Box, is_array
from optshare.tree import Named, children, parts

Selector = Any
"""A pattern of paths, a class of layers, a predicate, a part of the model, or a tuple of these."""
_FUNCTIONS = FunctionType, BuiltinFunctionType, MethodType, partial


def members(binding: Binding, selector: Selector, *, strict: bool = True) -> list[Any]:
    """The parameters that a selector means, in the order of definition.

    Args:
        binding: the parameters that there are.
        selector: a pattern that one of a parameter's paths matches (`fnmatch`: `*` goes
            over dots); a class, for every parameter inside its instances; a function
            `fn(path, parameter)` that is true; a part of the model, by identity; or a
            tuple of these. A function that is itself a part of the model is such a part.
        strict: whether a part must be held as a whole.

    Raises:
        EmptyModelError: a part without parameters.
        UnregisteredParameterError: a part that is not held.
        GroupError: the selector matches nothing.

    >>> from optshare import Chain, Dense
    >>> binding = Binding(Chain(Dense(2, 3), Dense(3, 1)))
    >>> [binding.path(key) for key in members(binding, "*.bias")]
    ['layers.0.bias', 'layers.1.bias']
    """
    meant = _meant(binding, selector, strict)
    found = [each.key for each in binding.entries if id(each.key) in meant]
    if strict and not found:
        there = ", ".join(each.path or "the array" for each in binding.entries) or "none"
        raise GroupError(f"{_shown(selector)} matches no parameter; there are {there}")
    return found


def _meant(binding: Binding, selector: Selector, strict: bool) -> set[int]:
    if isinstance(selector, str):
        return _ids(each.key for each in binding.entries if _matches(each, selector))
    if _is_several(selector):
        found = [members(binding, each, strict=strict) for each in selector]
        return _ids(key for each in found for key in each)
    if isinstance(selector, type):
        inside = _instances(binding.tree.model, selector)
        return _ids(key for each in inside for key in binding.held_in(each))
    if _is_predicate(binding, selector):
        chosen = [each for each in binding.entries if selector(each.path, known_as(each.key))]
        return _ids(each.key for each in chosen)
    return _ids(binding.keys_of(selector) if strict else binding.held_in(selector))


def _ids(keys: Iterable[Any]) -> set[int]:
    return {id(key) for key in keys}


def _matches(entry: Named, pattern: str) -> bool:
    return any(fnmatchcase(path, pattern) for path in (entry.path, *entry.aliases))


def _is_several(selector: Any) -> bool:
    """Whether it is a tuple or list of selectors, and not of parts alone, which is a part."""
    kinds = (str, type, *_FUNCTIONS)
    return is_sequence(selector) and any(isinstance(each, kinds) for each in selector)


def _is_predicate(binding: Binding, selector: Any) -> bool:
    return isinstance(selector, _FUNCTIONS) and not any(
        part is selector for _, part in parts(binding.tree.model)
    )


def _instances(model: Any, kind: type) -> Iterator[Any]:
    """Every object of a class inside a model, in a framework's own modules too."""
    seen: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, Box) or is_array(node):
            continue
        seen[id(node)] = node
        if isinstance(node, kind):
            yield node
        waiting += [child for _, child in children(node)]


def named(binding: Binding, selector: Selector) -> str:
    """The name of a selector: a pattern itself, a class's or function's name, a part's place."""
    if isinstance(selector, str):
        return selector
    if _is_several(selector):
        return ", ".join(named(binding, each) for each in selector)
    if isinstance(selector, type | FunctionType):
        return selector.__name__
    split = [binding.path(key).split(".") for key in binding.held_in(selector)]
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*split, strict=False))
    place = ".".join(names[0] for names in shared)
    kind = type(selector).__name__
    return f"{kind} at {place}" if place else kind


def _shown(selector: Selector) -> str:
    if isinstance(selector, str):
        return repr(selector)
    kind = getattr(selector, "__name__", type(selector).__name__)
    return f"the class {kind}" if isinstance(selector, type) else f"the predicate {kind}"
