"""explain: which terms of two configurations differ, in words and formulas."""

from __future__ import annotations

import re
from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels.infix import symbol
from optshare.meanings import meanings
from optshare.narrowing import is_sequence
from optshare.rules.base import Rule
from optshare.rules.terms import SHARED, Terms, is_recorded, terms_of

NONE = "none"


def explain(a: Any, b: Any, /) -> str:
    """In words, which terms of two rules differ, each with both formulas.

    The formulas are those that are computed: they are read from the recorded rules.
    There g is the gradient that enters, `old_` marks state from before the step, and
    t counts the parameter's updates from 1. Of rules that see whole arrays, which are
    not recorded, the hyperparameters are compared, with what they mean; two chains, piece by
    piece.

    Args:
        a: a rule, such as `Adam(lr=0.1)`, or what makes one, such as `Adam`.
        b: another one.

    Raises:
        TypeError: an argument that is neither.

    >>> from optshare import Adam
    >>> print(explain(Adam(lr=0.1), Adam(lr=0.1, dialect="keras")))
    a is Adam(lr=0.1)
    b is Adam(lr=0.1, decoupled_weight_decay=True, eps=1e-07, eps_hat=True)
    They differ in the numerator of the step, the denominator of the step and eps.
    <BLANKLINE>
    the numerator of the step
      a: lr / (1 - beta1**t) * exp_avg
      b: lr / (1 - beta1**t) * sqrt(1 - beta2**t) * exp_avg
    the denominator of the step
      a: sqrt(exp_avg_sq / (1 - beta2**t)) + eps
      b: sqrt(exp_avg_sq) + eps
    eps
      a: 1e-08
      b: 1e-07
    <BLANKLINE>
    Without effect here: decoupled_weight_decay.
    """
    rules = one, other = _rule(a), _rule(b)
    pieces, more = (getattr(each, "pieces", None) for each in rules)
    if pieces and more and len(pieces) == len(more):
        pairs = enumerate(zip(pieces, more, strict=True))
        return "\n\n".join(f"piece {at}: {explain(*pair)}" for at, pair in pairs)
    if not all(map(is_recorded, rules)):
        numbers = _differing(*map(_numbers, rules))
        return _told(rules, [], _with_meanings(rules, numbers), [])
    terms = terms_of(one, other)
    used = _words(terms[0]) | _words(terms[1])
    found = [_numbers(each) for each in rules]
    numbers = [{name: each[name] for name in each if name in used} for each in found]
    differing = _differing(*terms).items()
    formulas = {name: both for name, both in differing if not SHARED.fullmatch(name)}
    shared = _shared(formulas, terms[0] | terms[1])
    idle = [name for name in _common(one, other) if name not in used and _is_idle(rules, name)]
    return _told(rules, shared, formulas | _differing(*numbers), idle)


def _rule(given: Any) -> Rule:
    made = given() if callable(given) and not isinstance(given, Rule) else given
    if not isinstance(made, Rule):
        raise TypeError(f"explain takes two rules, such as optshare.Adam(lr=0.1), not {given!r}")
    return made


def _numbers(rule: Rule) -> Terms:
    """The hyperparameters, by how formulas write them."""
    found: Terms = {}
    for name, value in rule.hyperparameters().items():
        found |= dict(zip(_written(name, value), map(repr, _parts(value)), strict=True))
    return found


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if is_sequence(value) and value else (value,)


def _written(name: str, value: Any) -> list[str]:
    """How formulas write a hyperparameter, or each of its numbers."""
    if not is_sequence(value) or not value:
        return [name]
    return [symbol(f"{name}.{at}") for at in range(len(value))]


def _with_meanings(
    rules: tuple[Rule, Rule], found: dict[str, tuple[str, str]]
) -> dict[str, tuple[str, str]]:
    """The same under names with their meanings."""
    titles: dict[str, str] = {}
    for rule in reversed(rules):
        told, values = meanings(rule), rule.hyperparameters()
        for name in told.keys() & values.keys():
            titles |= {each: f"{each}: {told[name]}" for each in _written(name, values[name])}
    return {titles.get(name, name): both for name, both in found.items()}


def _words(terms: Terms) -> set[str]:
    """The names in formulas."""
    return set(re.findall(r"\w+(?:\[\d\])?", " ".join(terms.values())))


def _differing(one: Terms, other: Terms) -> dict[str, tuple[str, str]]:
    """What differs, with both texts."""
    names = dict.fromkeys([*one, *other])
    both = {name: (one.get(name, NONE), other.get(name, NONE)) for name in names}
    return {name: (mine, yours) for name, (mine, yours) in both.items() if mine != yours}


def _shared(formulas: dict[str, tuple[str, str]], terms: Terms) -> list[str]:
    """The formulas to which the differing ones refer by a name, in the order of their names."""
    waiting = {name: " ".join(both) for name, both in formulas.items()}
    found: set[str] = set()
    while named := {name for name in _words(waiting) if SHARED.fullmatch(name)} - found:
        found |= named
        waiting = {name: terms[name] for name in named}
    return [f"  {name} = {terms[name]}" for name in sorted(found, key=lambda name: int(name[1:]))]


def _common(one: Rule, other: Rule) -> list[str]:
    """The hyperparameters that both have, with different values."""
    mine, yours = one.hyperparameters(), other.hyperparameters()
    return [name for name in mine if name in yours and mine[name] != yours[name]]


def _is_idle(rules: tuple[Rule, Rule], name: str) -> bool:
    """Whether neither rule would compute anything else with the other's value."""
    one, other = rules
    mine, yours = (each.hyperparameters()[name] for each in rules)
    return _is_same(one, name, yours) and _is_same(other, name, mine)


def _is_same(rule: Rule, name: str, value: Any) -> bool:
    try:
        before, after = terms_of(rule, rule.adjusted(**{name: value}))
    except HyperparameterError:
        return False
    return before == after


def _told(
    rules: tuple[Rule, Rule],
    shared: list[str],
    found: dict[str, tuple[str, str]],
    idle: list[str],
) -> str:
    one, other = rules
    names = [title.partition(": ")[0] for title in found]
    lines = [f"a is {one!r}", f"b is {other!r}", _sentence(names)]
    lines += [""] if found else []
    for name, (mine, yours) in found.items():
        lines += [name, f"  a: {mine}", f"  b: {yours}"]
    lines += ["with", *shared] if shared else []
    lines += ["", f"Without effect here: {', '.join(idle)}."] if idle else []
    return "\n".join(lines)


def _sentence(found: list[str]) -> str:
    if not found:
        return "They compute the same."
    *rest, last = found
    return f"They differ in {', '.join(rest)} and {last}." if rest else f"They differ in {last}."
