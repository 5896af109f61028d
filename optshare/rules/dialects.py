"""Dialects: for each framework and rule, the options and defaults of the framework's own rule."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError, choices
from optshare.rules.presets import DIALECTS, As, Options, Preset


def in_dialect(rule: type, dialect: str, given: Options) -> dict[str, Any]:
    """The hyperparameters of a rule in a dialect; those that are given win.

    Raises:
        HyperparameterError: an unknown dialect, or one that does not have the rule.

    >>> from optshare.rules import RMSProp
    >>> in_dialect(RMSProp, "knet", {"lr": 0.5})
    {'alpha': 0.9, 'eps': 1e-06, 'eps_in_root': True, 'lr': 0.5}
    """
    preset = chosen(rule, dialect, given)
    told: dict[str, Any] = {**preset.options, **given}
    for name, value in told.items():
        if isinstance(value, As):
            told[name] = told.get(value.name, getattr(rule, value.name))
    return told


def presets_of(rule: type) -> dict[str, list[Preset]]:
    """The presets of one of our rules, by dialect."""
    if rule.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return {}
    return {
        name: found[rule.__name__] for name, found in DIALECTS.items() if rule.__name__ in found
    }


def chosen(rule: type, dialect: str, given: Options) -> Preset:
    """The preset that the given hyperparameters choose."""
    presets, name = presets_of(rule), rule.__name__
    if str(dialect) not in DIALECTS:
        raise HyperparameterError(
            f"{name}: no dialect {dialect!r}; choices: {choices(DIALECTS, str(dialect))}"
        )
    if dialect not in presets:
        raise HyperparameterError(
            f"the dialect {dialect!r} has no {name}; dialects that have it: {choices(presets)}"
        )
    fitting = [each for each in presets[dialect] if all(map(given.get, each.when))]
    if fitting[-1].missing:
        raise HyperparameterError(
            f"the dialect {dialect!r} does not follow its {fitting[-1].theirs}: "
            f"{fitting[-1].missing}; give {name} the options that you want"
        )
    return fitting[-1]
