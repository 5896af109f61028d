"""What hyperparameters mean: the section Args of a rule's docstring."""

from __future__ import annotations

import inspect
import re

from optshare.rules.base import Rule


def meanings(rule: Rule) -> dict[str, str]:
    """The meaning of each hyperparameter that the rule's docstring tells, by name.

    >>> from optshare.rules import LAMB
    >>> meanings(LAMB())["decoupled_weight_decay"]
    'shrink the weights before, outside of the ratio.'
    """
    _, _, told = inspect.cleandoc(type(rule).__doc__ or "").partition("\nArgs:\n")
    entries = re.split(r"(?m)^    (?=\w+: )", told.partition("\n\n")[0])
    pairs = (each.partition(": ") for each in entries if each.strip())
    return {name.strip(): " ".join(meaning.split()) for name, _, meaning in pairs}
