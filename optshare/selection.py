"""What to differentiate for: argument positions, models and parameters, flattened to keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, cast

import numpy as np

from optshare.building import built
from optshare.errors import EmptyModelError, UnregisteredParameterError
from optshare.foreign import foreign, is_native
from optshare.gradients import Gradients, added
from optshare.narrowing import is_host, is_numpy, is_sequence, is_structure, like, members
from optshare.parameter import Parameter, floating, is_array, is_floating
from optshare.slots import HeldSlot, Slot
from optshare.structure import matched
from optshare.tree import children, joined, keyed

Lookup = Callable[[Parameter], Any]
Key = tuple[str, Parameter, Any]
"""A path, the key, and the object by which the caller knows it."""


class Part(Protocol):
    """One piece of an argument: how to pass it on, and how to lay out its gradient."""

    def value(self) -> Any:
        """The piece to call the function with; read while the engine differentiates."""
        ...

    def gradient(self, lookup: Lookup) -> Any:
        """The gradient of this piece, in its structure."""
        ...

    def entries(self) -> Iterator[Key]:
        """The keys in it, each with its path and the object by which the caller knows it."""
        ...

    def places(self, other: Any) -> Iterator[tuple[Parameter, Any]]:
        """The keys in it, each with what stands in its place in something of the same form."""
        ...


class _Constant:
    """A piece that is passed on as it is and has no gradient."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def value(self) -> Any:
        return self._thing

    def gradient(self, lookup: Lookup) -> Any:
        return None

    def entries(self) -> Iterator[Key]:
        return iter(())

    def places(self, other: Any) -> Iterator[tuple[Parameter, Any]]:
        return ((key, other) for _, key, _ in self.entries())


class _Array(_Constant):
    """An array, or Python numbers, in a slot that the engine reads."""

    def __init__(self, array: Any) -> None:
        super().__init__(array)
        number = not is_array(array) or isinstance(array, np.generic)
        self._slot = Slot(floating(array) if number or is_numpy(array) else array)
        self._known_as: Any = self._slot if number else array

    def value(self) -> Any:
        return self._slot.value

    def gradient(self, lookup: Lookup) -> Any:
        return lookup(self._slot)

    def entries(self) -> Iterator[Key]:
        yield "", self._slot, self._known_as


class _Parameter(_Constant):
    """A Parameter given as an argument: the function reads it itself."""

    def gradient(self, lookup: Lookup) -> Any:
        return lookup(self._thing)

    def entries(self) -> Iterator[Key]:
        yield "", self._thing, self._thing


class _Model(_Constant):
    """An object that holds Parameters, given as an argument."""

    def __init__(self, thing: Any) -> None:
        super().__init__(thing)
        self._keys = _boxes(thing)

    def gradient(self, lookup: Lookup) -> Any:
        found = [lookup(box) for _, box, _ in self._keys]
        return Gradients([known_as for *_, known_as in self._keys], found) if found else None

    def entries(self) -> Iterator[Key]:
        return iter(self._keys)

    def places(self, other: Any) -> Iterator[tuple[Parameter, Any]]:
        keys = [key for _, key, _ in self.entries()]
        others = list(other) if isinstance(other, Gradients) else other
        return zip(keys, matched(keys, others), strict=True)


class _Container:
    """A dict, list, tuple or dataclass of pieces."""

    def __init__(self, container: Any, integers: bool) -> None:
        self._container = container
        self._parts = [_part(member, integers) for member in members(container)]

    def value(self) -> Any:
        return like(self._container, [part.value() for part in self._parts])

    def gradient(self, lookup: Lookup) -> Any:
        return like(self._container, [part.gradient(lookup) for part in self._parts])

    def entries(self) -> Iterator[Key]:
        for name, part in zip(_names(self._container), self._parts, strict=True):
            for path, key, known_as in part.entries():
                yield joined(name, path), key, known_as

    def places(self, other: Any) -> Iterator[tuple[Parameter, Any]]:
        for part, each in zip(self._parts, matched(self._container, other), strict=True):
            yield from part.places(each)


def _names(container: Any) -> list[str]:
    if is_dataclass(container):
        return [each.name for each in fields(container)]
    return [name for name, _ in children(container)]


class _Native(_Constant):
    """A framework's own parameter given as an argument: the function reads it itself."""

    def gradient(self, lookup: Lookup) -> Any:
        return lookup(next(self.entries())[1])

    def entries(self) -> Iterator[Key]:
        return iter(_boxes(self._thing))


class _Tree(_Constant):
    """A framework's immutable model: the function gets one made of what the engine reads."""

    def __init__(self, tree: Any) -> None:
        super().__init__(tree)
        self._slots = dict(keyed(tree))

    def value(self) -> Any:
        values = {path: slot.value for path, slot in self._slots.items()}
        return foreign().rebuilt(self._thing, values)

    def gradient(self, lookup: Lookup) -> Any:
        found = {path: lookup(slot) for path, slot in self._slots.items()}
        return foreign().rebuilt(self._thing, found, keep=False)

    def entries(self) -> Iterator[Key]:
        return ((path, slot, slot.stored) for path, slot in self._slots.items())


def _native_part(thing: Any) -> Part:
    if is_array(thing):
        return _Native(thing)
    slots = [key for _, key in keyed(thing)]
    held = bool(slots) and all(isinstance(each, HeldSlot) for each in slots)
    return _Tree(thing) if held else _Model(thing)


def _part(thing: Any, integers: bool = True) -> Part:
    if isinstance(thing, Parameter):
        return _Parameter(thing)
    if is_native(thing):
        return _native_part(thing)
    if isinstance(thing, bool | str | bytes) or thing is None:
        return _Constant(thing)
    if _is_numeric(thing):
        return _Array(thing) if integers or not _is_whole(thing) else _Constant(thing)
    if is_array(thing):
        return _Constant(thing)
    if is_structure(thing):
        return _Container(thing, integers)
    return _Model(thing)


def _is_numeric(thing: Any) -> bool:
    if is_sequence(thing):
        return (
            len(thing) > 0
            and not hasattr(thing, "_fields")
            and all(_is_number_or_list(each) for each in thing)
        )
    if is_array(thing):
        return is_floating(thing) or _is_host_integer(thing)
    return isinstance(thing, int | float | complex)


def _is_whole(thing: Any) -> bool:
    """Whether numbers are integers, all of them."""
    if is_sequence(thing):
        return all(map(_is_whole, thing))
    return _is_host_integer(thing) if is_array(thing) else isinstance(thing, int)


def _is_host_integer(thing: Any) -> bool:
    return is_host(thing) and str(thing.dtype).startswith(("int", "uint"))


def _is_number_or_list(thing: Any) -> bool:
    return not is_array(thing) and not isinstance(thing, bool) and _is_numeric(thing)


class Selection:
    """The arguments of one call, and what to differentiate it for.

    Args:
        args: the arguments of the function.
        wrt: `None` for every argument, else a position, a model, a Parameter,
            or a tuple that mixes them.
        integers: whether integers among the arguments become floats; else they
            are constants.

    Argument arrays become keys. Frozen parameters are
    not among `keys`.

    Raises:
        EmptyModelError: a member of `wrt` holds no parameters.
        UnregisteredParameterError: a position that the call does not have.
    """

    def __init__(self, args: Sequence[Any], wrt: Any = None, *, integers: bool = True) -> None:
        self._structured = wrt is None
        named = _named(wrt, len(args))
        self._positions = [each for each in named if isinstance(each, int)]
        self._parts = [
            _part(each, integers) if place in self._positions else _Constant(each)
            for place, each in enumerate(args)
        ]
        self._known: list[Key] = []
        for member in named:
            self._known += _keys_of(member, self._parts)
        unique = {id(key): key for _, key, _ in self._known if not key.frozen}
        self.keys = list(unique.values())

    def build(self, function: Callable[..., Any]) -> None:
        """Let parameters without a value take it from one call of the function.

        Those that it does not reach are not among `keys` any more.
        """
        if not all(key.built for key in self.keys):
            self.keys = built(self.keys, lambda: function(*self.arguments()))

    def paths(self) -> list[tuple[str, Parameter]]:
        """Where each key stands: the argument's position, and the path in it."""
        return [(path, key) for path, key, _ in self._known]

    def arguments(self) -> tuple[Any, ...]:
        """The arguments to call the function with, inside the differentiation."""
        return tuple(part.value() for part in self._parts)

    def places(self, others: Sequence[Any]) -> list[Any]:
        """What stands in the place of each key, in values laid out like the arguments.

        Raises:
            DifferentiationError: they are laid out otherwise.
        """
        found = {
            id(key): each
            for part, other in zip(self._parts, matched(self._parts, others), strict=True)
            for key, each in part.places(other)
        }
        return [found[id(key)] for key in self.keys]

    def result(self, gradients: Sequence[Any]) -> Any:
        """A tuple parallel to the arguments, or `Gradients` where `wrt` was given."""
        found = dict(zip(map(id, self.keys), gradients, strict=True))

        def lookup(key: Parameter) -> Any:
            return found.get(id(key))

        laid_out = {place: self._parts[place].gradient(lookup) for place in self._positions}
        if self._structured:
            return tuple(laid_out.values())
        totals: dict[int, tuple[Any, Any]] = {}
        for _, key, known_as in self._known:
            new, place = found.get(id(key)), id(known_as)
            if place not in totals:
                totals[place] = known_as, new
            elif known_as is not key:
                totals[place] = known_as, added(totals[place][1], new)
        pairs = totals.values()
        return Gradients([key for key, _ in pairs], [each for _, each in pairs], laid_out)


def _named(wrt: Any, count: int) -> list[Any]:
    if wrt is None:
        return list(range(count))
    if not isinstance(wrt, tuple | list | int):
        return [wrt]
    listed = isinstance(wrt, tuple) or (is_sequence(wrt) and any(map(_is_position, wrt)))
    each_of = cast(tuple[Any, ...], wrt if listed else (wrt,))
    named = list({each if _is_position(each) else id(each): each for each in each_of}.values())
    for each in named:
        if isinstance(each, bool):
            raise UnregisteredParameterError(f"wrt names {each}; give a position, such as 0")
        if isinstance(each, int) and not 0 <= each < count:
            raise UnregisteredParameterError(
                f"asked to differentiate for argument {each}; of positional arguments "
                f"the call has {count}, counted from 0"
            )
    return named


def _is_position(thing: Any) -> bool:
    return isinstance(thing, int) and not isinstance(thing, bool)


def _keys_of(member: Any, parts: list[Part]) -> list[Key]:
    if isinstance(member, int):
        return [
            (joined(str(member), path), key, known_as)
            for path, key, known_as in parts[member].entries()
        ]
    keys = _boxes(member)
    if not keys:
        raise EmptyModelError(
            f"{type(member).__name__} in wrt= holds no parameters; wrap its arrays in Parameter"
        )
    return keys


def _boxes(model: Any) -> list[Key]:
    """The parameters of a model, by path, with the object by which the caller knows each."""
    found: dict[int, Key] = {}
    for path, box in keyed(model):
        place = id(box)
        if place not in found:
            itself = box.__class__ is Parameter or isinstance(box, Slot)
            found[place] = path, box, box if itself else box.known_as
    return list(found.values())
