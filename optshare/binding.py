"""Which parameters an optimizer holds, and how gradients from elsewhere are laid over them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from optshare.errors import EmptyModelError, ParameterError, UnregisteredParameterError
from optshare.foreign import foreign, is_native
from optshare.gradients import Gradients, added
from optshare.narrowing import is_container, is_sequence
from optshare.orientation import Site
from optshare.paired import Paired
from optshare.parameter import is_array
from optshare.plain import PlainTree
from optshare.sites import sites
from optshare.slots import Slot
from optshare.state import IdentityStore
from optshare.structure import beside
from optshare.tree import children, grouped, joined, keyed

Pairs = list[tuple[Any, Any]]


class Binding:
    """The parameters of a model by identity and by path; held strongly.

    Args:
        model: what holds them.
        pairs: each path with its parameter, where not all are held.

    Raises:
        EmptyModelError: the model holds no parameters.
    """

    def __init__(self, model: Any, pairs: Pairs | None = None) -> None:
        pairs = _all_of(model) if pairs is None else pairs
        _require_distinct(pairs)
        self.entries = grouped(pairs)
        self.keys = [each.key for each in self.entries]
        """The parameters, each once, in the order of definition."""
        self._paths = IdentityStore((each.key, each.path) for each in self.entries)
        self._sites = IdentityStore(zip(self.keys, sites(model, self.entries), strict=True))
        self._places = len(self.keys)
        """How many places have been given."""
        self._by_path = dict(pairs)
        self.tree = PlainTree(model, pairs)
        """The model; its slots are the parameters that are the caller's own arrays."""

    def path(self, key: Any) -> str:
        """Where a parameter was found first."""
        return self._paths[key]

    def key_at(self, path: str) -> Any:
        """The parameter at a path.

        Raises:
            UnregisteredParameterError: there is none.
        """
        if path not in self._by_path:
            raise UnregisteredParameterError(f"there is no parameter at {path!r}")
        return self._by_path[path]

    def site(self, key: Any) -> Site:
        """Where a parameter stands."""
        return self._sites[key]

    def key(self, parameter: Any) -> Any:
        """The key of a parameter, or of an array of the tree."""
        if parameter in self._paths:
            return parameter
        self.tree.follow()
        for key in self.keys:
            if parameter is key.known_as or parameter is key.stored:
                return key
        held = ", ".join(each.path or "the array" for each in self.entries)
        raise UnregisteredParameterError(
            f"this optimizer does not hold that {type(parameter).__name__} "
            f"({parameter!r}); it holds {held}"
        )

    def keys_of(self, part: Any) -> list[Any]:
        """The keys of a part of the model."""
        found = [self.key(known_as(key)) for _, key in keyed(part)]
        if not found:
            raise EmptyModelError(f"{type(part).__name__} holds no parameters")
        return list({id(key): key for key in found}.values())

    def held_in(self, part: Any) -> list[Any]:
        """The keys of a part of anything, those that are held.

        Raises:
            ParameterError: an array of the part stands at two places of the tree.
        """
        known: dict[int, list[Any]] = {}
        for key in self.keys:
            known.setdefault(id(known_as(key)), []).append(key)
        found = [known[place] for _, key in keyed(part) if (place := id(known_as(key))) in known]
        for several in found:
            if len(several) > 1:
                raise ParameterError(
                    f"one array stands at {' and '.join(map(self.path, several))}, so that by "
                    f"itself it is ambiguous; give a path pattern"
                )
        return list({id(key): key for [key] in found}.values())

    def holds(self, key: Any) -> bool:
        """Whether a key is among those held."""
        return key in self._paths

    def only(self, keys: list[Any]) -> Binding:
        """The same model, of which only some keys are held."""
        kept = {id(key) for key in keys}
        return Binding(self.tree.model, [p for p in self._by_path.items() if id(p[1]) in kept])

    def numbered_after(self, before: Binding) -> Binding:
        """The same, where parameters keep their places, and new ones get places that none had."""
        fresh = count(before._places)
        for key in self.keys:
            place = before.site(key).place if before.holds(key) else next(fresh)
            self._sites[key] = self._sites[key]._replace(place=place)
        self._places = next(fresh)
        return self

    def paired(self, gradients: Any) -> Paired:
        """The parameters with the gradients of `Gradients`, a parallel list, or a like tree."""
        if isinstance(gradients, Gradients):
            return self._by_identity(gradients)
        if is_sequence(gradients) and self._is_parallel(gradients):
            return Paired(self.keys, list(gradients))
        return self._along_paths(gradients)

    def pairs_of(self, part: Any, gradient: Any) -> Paired:
        """One parameter with its gradient, or those of the model or of nested containers."""
        if self.tree.is_model(part):
            return self.paired(gradient)
        if not is_container(part):
            return Paired([self.key(part)], [gradient])
        totals: dict[int, tuple[Any, Any]] = {}
        for each, its in beside(part, gradient):
            key = self.key(each)
            totals[id(key)] = key, added(totals.get(id(key), (key, None))[1], its)
        return Paired.of(totals.values())

    def _by_identity(self, gradients: Gradients) -> Paired:
        arrays = {id(slot.stored): slot for slot in self.tree.slots.values()}
        if len(arrays) < len(self.entries) - sum(not isinstance(k, Slot) for k in self.keys):
            raise ParameterError(
                "one array stands at two places of this tree, so gradients by array are "
                "ambiguous; pass gradients laid out like the tree, such as gradients[0]"
            )
        return Paired.of(
            (arrays[id(key)] if id(key) in arrays else self.key(key), gradient)
            for key, gradient in gradients.items()
            if not isinstance(key, Slot)  # a number, which cannot be written into
        )

    def _is_parallel(self, gradients: Any) -> bool:
        if len(gradients) != len(self.entries):
            return False
        kinds = set(map(type, gradients))
        examples = (next(each for each in gradients if type(each) is kind) for kind in kinds)
        return not any(is_container(each) or _is_module(each) for each in examples)

    def _along_paths(self, gradients: Any) -> Paired:
        """The gradients of a tree laid out like the model; those of tied places are summed."""
        found = dict(self._laid_out(gradients, ""))
        missing = [path for path in self._by_path if path not in found]
        if missing:
            raise UnregisteredParameterError(
                f"the gradients have no entry for {', '.join(missing)}; "
                f"give None for a parameter without one"
            )
        totals: dict[int, tuple[Any, Any]] = {}
        for path, gradient in found.items():
            key = self._by_path[path]
            totals[id(key)] = key, added(totals.get(id(key), (key, None))[1], gradient)
        return Paired.of(totals.values())

    def _laid_out(self, node: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Each parameter's path with what stands there in a tree of gradients."""
        if path in self._by_path:
            yield path, node
        elif is_container(node):
            for name, child in children(node):
                yield from self._laid_out(child, joined(path, name))
        elif (native := foreign().pairs(node)) is not None:
            found = {joined(path, name): box.stored for name, box in native}
            self._require_held(found)
            inside = [each for each in self._by_path if each.startswith(f"{path}." if path else "")]
            yield from {**dict.fromkeys(inside), **found}.items()
        else:
            self._require_held({path: node})

    def _require_held(self, given: dict[str, Any]) -> None:
        for path, node in given.items():
            if path not in self._by_path:
                raise UnregisteredParameterError(
                    f"the gradients have a {type(node).__name__} at {path or 'the top'!r}, where "
                    f"no parameter is; the parameters are at {', '.join(self._by_path)}"
                )


def _all_of(model: Any) -> Pairs:
    pairs = keyed(model)
    if not pairs:
        raise EmptyModelError(
            f"{type(model).__name__} holds no parameters; wrap its arrays in "
            f"optshare.Parameter, or pass them in a list, tuple or dict "
            f"(a generator as list(...))"
        )
    return pairs


def _is_module(thing: Any) -> bool:
    """Whether it is a framework's own model of several arrays."""
    return not is_array(thing) and is_native(thing)


def known_as(key: Any) -> Any:
    """By what this optimizer can know a key of another walk: of a slot the array."""
    return key.stored if isinstance(key, Slot) else key.known_as


def _require_distinct(pairs: list[tuple[str, Any]]) -> None:
    seen: dict[str, Any] = {}
    for path, key in pairs:
        if seen.setdefault(path, key) is not key:
            raise ParameterError(
                f"two parameters have the path {path!r}; rename a key that contains a dot"
            )
