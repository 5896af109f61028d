"""Groups: by which rule each parameter of a model is updated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from optshare.binding import Binding
from optshare.errors import GroupError, HyperparameterError
from optshare.narrowing import is_dict, is_sequence
from optshare.rules.base import Rule
from optshare.rules.chain import divided
from optshare.selectors import Selector, members, named
from optshare.state import ParameterState

Groups = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
"""For each selector a rule, or the hyperparameters that differ."""
MOST_TOLD = 8
"""How many of the paths of a rule `repr(optimizer)` has."""


class Group(NamedTuple):
    """What a selector means is updated by a rule."""

    selector: Selector
    name: str
    """Unique among the groups of an optimizer; `""` where there is no selector."""
    rule: Rule


class Use(NamedTuple):
    """A rule, and the paths of the parameters that it updates."""

    rule: Rule
    paths: tuple[str, ...]

    def __str__(self) -> str:
        told = ", ".join(self.paths[:MOST_TOLD])
        more = len(self.paths) - MOST_TOLD
        return f"{told}{f' and {more} more' if more > 0 else ''}: {self.rule!r}"


def require_rule(rule: Any) -> None:
    """Raise `TypeError` for what is no unbound rule."""
    if not isinstance(rule, Rule):
        raise TypeError(
            f"the rule must be an unbound one, such as optshare.Adam(lr=1e-3), not {rule!r}"
        )


def require_own(rule: Any) -> None:
    """Raise `TypeError` for what cannot be the rule of some of the parameters."""
    require_rule(rule)
    first, _ = divided(rule)
    if first:
        raise TypeError(
            f"{first[0].kind} acts on all gradients; give it to the optimizer: "
            f"Optimizer(model, rule, transforms=[...], groups=...)"
        )


def listed(binding: Binding, rule: Rule, groups: Groups | None) -> list[Group]:
    """The groups that a user gives, checked, each with its rule; the first has the rest.

    Raises:
        GroupError: a selector matches nothing.
        HyperparameterError: the rule lacks a hyperparameter, or it is out of range.
        TypeError: not groups.
    """
    found = [Group(None, "", rule)]
    for selector, given in _pairs(groups):
        name = unique(named(binding, selector), (each.name for each in found))
        found.append(Group(selector, name, _rule_of(name, given, rule)))
    return found


def _pairs(groups: Any) -> list[tuple[Any, Any]]:
    pairs: list[Any] = []
    if isinstance(groups, Mapping):
        pairs = list(groups.items())  # pyright: ignore[reportUnknownArgumentType] # a user's
    elif is_sequence(groups):
        pairs = list(groups)
    elif groups is not None:
        raise TypeError(f"groups must be a dict or a list of pairs, not {groups!r}")
    for each in pairs:
        if not is_sequence(each) or len(each) != 2:
            raise TypeError(f"groups must be pairs of a selector and a rule or dict, not {each!r}")
    return pairs


def _rule_of(name: str, given: Any, rule: Rule) -> Rule:
    if isinstance(given, Rule):
        require_own(given)
        return given
    if not is_dict(given):
        raise TypeError(
            f"the group {name!r} must have a dict of hyperparameters, or an unbound rule such as "
            f"optshare.SGD(lr=0.1), not {given!r}"
        )
    try:
        return rule.adjusted(**given)
    except HyperparameterError as error:
        raise HyperparameterError(f"the group {name!r}: {error}") from error


def unique(name: str, taken: Iterable[str]) -> str:
    """A name that is not taken: itself, or with a number.

    >>> unique("*.bias", []), unique("<lambda>", ["<lambda>", "<lambda> (2)"])
    ('*.bias', '<lambda> (3)')
    """
    known, found, count = set(taken), name, 1
    while found in known:
        count += 1
        found = f"{name} ({count})"
    return found


def assigned(binding: Binding, groups: list[Group], *, strict: bool = True) -> list[Group]:
    """The group of each parameter, in the order of definition.

    Args:
        binding: the parameters.
        groups: the first has all that no other one has.
        strict: whether each group must have a parameter.

    Raises:
        GroupError: a parameter is in two groups, or a selector matches nothing.
    """
    found: dict[int, Group] = {}
    for group in groups[1:]:
        for key in members(binding, group.selector, strict=strict):
            if (other := found.setdefault(id(key), group)) is not group:
                raise GroupError(
                    f"{binding.path(key)!r} is in two groups, {other.name!r} and {group.name!r}; "
                    f"let one of them leave it out"
                )
    return [found.get(id(key), groups[0]) for key in binding.keys]


def begun(binding: Binding, groups: list[Group]) -> dict[int, ParameterState]:
    """The state of each parameter before its first update, by the key's id.

    Args:
        binding: the parameters.
        groups: the group of each. Where two have one rule, it is the same object.

    Raises:
        HyperparameterError: a rule cannot update a parameter.
    """
    made: dict[int, list[Rule]] = {}
    states: dict[int, ParameterState] = {}
    for key, group in zip(binding.keys, groups, strict=True):
        own = group.rule.for_parameter(binding.site(key), key.shape)
        known = made.setdefault(id(group.rule), [])
        if own not in known:
            known.append(own)
        states[id(key)] = ParameterState(known[known.index(own)], group.name)
    return states


def of_part(
    binding: Binding,
    groups: list[Group],
    part: Any,
    rule: Rule | None,
    changes: dict[str, Any],
    taken: Iterable[str],
) -> list[Group]:
    """The group of each parameter of a part that is added, in the order of definition.

    Args:
        binding: the parameters that are added.
        groups: those of the optimizer; one that has no parameter is no error here.
        part: what is added.
        rule: its own rule, in place of its group's.
        changes: hyperparameters of its own.
        taken: the names of the groups that there are.

    Raises:
        GroupError: a parameter is in two groups.
        HyperparameterError: an unknown name, or a value out of range.
    """
    if rule is not None:
        own = Group(part, unique(named(binding, part), taken), rule.adjusted(**changes))
        return [own for _ in binding.keys]
    found = assigned(binding, groups, strict=False)
    if not changes:
        return found
    place, derived = named(binding, part), dict[str, Group]()
    for name, its in {each.name: each.rule for each in found}.items():
        full = unique(f"{place}, {name}" if name else place, taken)
        derived[name] = Group(part, full, its.adjusted(**changes))
    return [derived[each.name] for each in found]


def uses(pairs: Iterable[tuple[str, Rule]]) -> list[Use]:
    """The rules, each with the paths of what it updates.

    >>> from optshare import SGD
    >>> [use.paths for use in uses([("w", SGD()), ("b", SGD(lr=0.5)), ("v", SGD())])]
    [('w', 'v'), ('b',)]
    """
    found: list[tuple[Rule, list[str]]] = []
    for path, rule in pairs:
        same = next((paths for each, paths in found if each is rule or each == rule), None)
        if same is None:
            found.append((rule, [path]))
        else:
            same.append(path)
    return [Use(rule, tuple(paths)) for rule, paths in found]
