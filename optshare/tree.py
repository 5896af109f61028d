"""Finding the parameters of a model: any object that holds Parameters, however deep."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from optshare.foreign import foreign, is_native
from optshare.narrowing import is_container, like
from optshare.parameter import Box, Buffer, Parameter, is_array
from optshare.slots import Slot, slot

Leaf = tuple[str, Any]


class Named(NamedTuple):
    """A parameter with the path where it was found first, and every other path."""

    path: str
    key: Any
    aliases: tuple[str, ...]


def leaves(model: Any) -> list[Leaf]:
    """Every path to every leaf of a model, in the order of definition.

    Leaves are Parameters, wherever they are, and arrays that only plain lists,
    tuples and dicts contain (Knet's `w = [W, b]`). The walk goes through
    containers, attributes, `__slots__`, bound methods, partial functions,
    closures and defaults; a cycle ends it. What an object's `__params__()` gives,
    a dict or a sequence, is taken instead of its attributes. In a framework's own model the
    backend finds them.

    >>> weight = Parameter([1., 2.])
    >>> leaves({"encoder": [weight], "decoder": weight})
    [('encoder.0', Parameter(array([1., 2.]))), ('decoder', Parameter(array([1., 2.])))]
    """
    return [(path or "", leaf) for path, leaf in _walk(model, True, {})]


def keyed(model: Any) -> list[tuple[str, Any]]:
    """Every path to every parameter of a model; a key at several paths is tied.

    An array leaf is given as one `Slot` around it.
    """
    boxes: dict[int, Parameter] = {}
    pairs: list[tuple[str, Any]] = []
    for path, leaf in _walk(model, True, {}):
        if leaf.__class__ is not Parameter:  # such a one is known as itself
            box = leaf if isinstance(leaf, Parameter) else slot(leaf)
            leaf = boxes.setdefault(id(box.known_as), box)
        pairs.append((path or "", leaf))
    return pairs


def grouped(pairs: Iterable[tuple[str, Any]]) -> list[Named]:
    """Each key once, by identity, with all its paths."""
    found: dict[int, tuple[Any, list[str]]] = {}
    for path, key in pairs:
        found.setdefault(id(key), (key, []))[1].append(path)
    return [Named(paths[0], key, tuple(paths[1:])) for key, paths in found.values()]


def params(model: Any) -> list[Any]:
    """The parameters of a model, each once, in the order of definition.

    Frozen ones are listed too. Two Parameters of equal values are two; one
    Parameter at two places is one.

    >>> class Affine:
    ...     def __init__(self):
    ...         self.w, self.b = Parameter([[1.]]), Parameter([0.])
    >>> params([Affine(), Affine()])
    [Parameter(array([[1.]])), Parameter(array([0.])), \
Parameter(array([[1.]])), Parameter(array([0.]))]
    """
    return [_public(entry.key) for entry in grouped(keyed(model))]


def _public(key: Any) -> Any:
    """A key as users know it: a framework's own parameter, not our box around it."""
    return key if isinstance(key, Slot) else key.known_as


def buffers(model: Any) -> list[Buffer]:
    """The Buffers of a model, each once, in the order of definition.

    >>> buffers({"mean": Buffer([0.5]), "weight": Parameter([1.])})
    [Buffer(array([0.5]))]
    """
    found = {id(leaf): leaf for _, leaf in _walk(model, True, {}, Buffer)}
    return list(found.values())


def boxes(model: Any) -> list[Box]:
    """The Parameters and Buffers that a model holds itself, each once, in order of definition.

    >>> boxes([Parameter([1.]), Buffer([2.])])
    [Parameter(array([1.])), Buffer(array([2.]))]
    """
    return list({id(leaf): leaf for _, leaf in named_boxes(model)}.values())


def named_boxes(model: Any) -> list[Leaf]:
    """Every path to every Parameter and Buffer that a model holds itself, in order of definition.

    >>> named_boxes({"mean": Buffer([2.])})
    [('mean', Buffer(array([2.])))]
    """
    return [(path or "", leaf) for path, leaf in _walk(model, False, {}, Box)]


def parts(model: Any) -> list[tuple[str, Any]]:
    """Every object inside a model that is no box and no array, once, with its first path.

    >>> from optshare import Chain, Dense, relu
    >>> [path for path, part in parts(Chain(Dense(2, 3), relu)) if callable(part)]
    ['', 'layers.0', 'layers.1']
    """
    found: dict[int, tuple[str, Any]] = {}
    _gather(model, (), found)
    return list(found.values())


def _gather(node: Any, path: tuple[str, ...], found: dict[int, tuple[str, Any]]) -> None:
    if isinstance(node, Box) or is_array(node) or node.__class__ in _BARREN or id(node) in found:
        return
    found[id(node)] = ".".join(path), node
    if not is_native(node):
        for name, child in children(node):
            _gather(child, (*path, name), found)


def rebuilt(node: Any, values: dict[str, Any], path: str = "") -> Any:
    """A tree with other arrays at some paths; what holds none of them is the same object.

    >>> import numpy as np
    >>> rebuilt({"w": [np.zeros(1)], "b": "same"}, {"w.0": np.ones(1)})
    {'w': [array([1.])], 'b': 'same'}
    """
    if path in values:
        return values[path]
    if is_container(node):
        parts = [rebuilt(child, values, joined(path, name)) for name, child in children(node)]
        return like(node, parts)
    pairs = foreign().pairs(node)
    if pairs is None:
        return node
    inside = {name: values[joined(path, name)] for name, _ in pairs if joined(path, name) in values}
    return foreign().rebuilt(node, inside) if inside else node


def joined(path: str, name: str) -> str:
    """The path of a part."""
    return f"{path}.{name}" if path and name else path or name


Path = str | None
"""The path from a node to a leaf below it; `None` where the node is the leaf."""
Memo = dict[tuple[int, bool], list[tuple[Path, Any]]]


def _walk(
    node: Any, plain: bool, memo: Memo, kind: type[Box] = Parameter
) -> list[tuple[Path, Any]]:
    """The leaves below a node; `plain` says that only containers led here."""
    if isinstance(node, Box):
        return [(None, node)] if isinstance(node, kind) else []
    if node.__class__ not in _BUILT_IN:
        native = foreign().pairs(node)
        if native is not None:
            return [(path or None, box) for path, box in native if isinstance(box, kind)]
        if is_array(node):
            return [(None, node)] if plain and kind is Parameter else []
        plain = plain and is_container(node)
    place = id(node), plain
    if place in memo:
        return memo[place]
    memo[place] = []  # what a cycle back to here finds
    found: list[tuple[Path, Any]] = []
    for name, child in children(node):
        if isinstance(child, kind):
            found.append((name, child))
        elif child.__class__ not in _BARREN and not _is_bare(child):
            for path, leaf in _walk(child, plain, memo, kind):
                found.append((name if path is None else f"{name}.{path}", leaf))
    memo[place] = found
    return found


_BUILT_IN = frozenset({list, tuple, dict})
"""What is no framework's own, and no array."""
_BARREN = frozenset({str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type})


"""In what it is plain that no parameter can be: most of what a layer holds."""


def _is_bare(thing: Any) -> bool:
    """Whether it is a function that can reach no parameter."""
    return isinstance(thing, FunctionType) and not (
        thing.__closure__ or thing.__defaults__ or thing.__kwdefaults__
    )


def children(node: Any) -> Iterable[tuple[str, Any]]:
    """The named parts of an object that may hold parameters."""
    return _parts_of(node.__class__)(node)


@lru_cache(maxsize=1024)
def _parts_of(kind: type[Any]) -> Callable[[Any], Iterable[tuple[str, Any]]]:
    """How the objects of a type are taken apart."""
    if issubclass(kind, type):
        return _nothing
    if hasattr(kind, "__params__"):
        return _declared
    for base, parts in _PARTS.items():
        if issubclass(kind, base):
            return parts
    return partial(_attributes, _slots_of(kind))


def _slots_of(kind: type[Any]) -> list[tuple[str, str]]:
    """The names of an object's slots, and where Python keeps them."""
    return [
        (name, _mangled(owner, name))
        for owner in reversed(kind.__mro__)
        for name in _listed(owner.__dict__.get("__slots__", ()))
        if name not in ("__dict__", "__weakref__")
    ]


def _listed(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _attributes(slots: list[tuple[str, str]], node: Any) -> Iterable[tuple[str, Any]]:
    named = getattr(node, "__dict__", {}).items()
    if not slots:
        return named
    filled = [(name, getattr(node, place)) for name, place in slots if hasattr(node, place)]
    return [*filled, *named]


def _mangled(owner: type, name: str) -> str:
    """Where Python keeps a private slot."""
    private = name.startswith("__") and not name.endswith("__")
    return f"_{owner.__name__.lstrip('_')}{name}" if private else name


def _cells(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # the variable is not bound yet
            continue
    yield from _numbered("default", function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()


def _numbered(name: str, things: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{name}{i}", each) for i, each in enumerate(things))


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    return ((str(name), child) for name, child in node.items())


def _declared(node: Any) -> Iterable[tuple[str, Any]]:
    """What an object says that its parameters are: by name, or in order."""
    declared = node.__params__()
    return _items(declared) if isinstance(declared, Mapping) else _members(declared)


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    return ((str(i), child) for i, child in enumerate(node))


def _nothing(node: Any) -> Iterable[tuple[str, Any]]:
    return ()


_PARTS: dict[type, Callable[[Any], Iterable[tuple[str, Any]]]] = {
    str: _nothing,
    int: _nothing,
    float: _nothing,
    ModuleType: _nothing,
    dict: _items,
    list: _members,
    deque: _members,
    tuple: _members,
    MethodType: lambda method: [("self", method.__self__)],
    FunctionType: _cells,
    partial: lambda bound: [
        ("func", bound.func),
        ("args", bound.args),
        ("keywords", bound.keywords),
    ],
}
