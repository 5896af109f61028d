"""Evaluation values: what averaging rules put in the parameters' place."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.binding import Binding
from optshare.dtypes import working_dtype
from optshare.errors import HyperparameterError
from optshare.kernels.expression import Expression
from optshare.kernels.reference import cast
from optshare.masters import followed
from optshare.rules.array import Site
from optshare.state import IdentityStore, ParameterState
from optshare.writing import memory, put

Kept = list[tuple[Any, Any]]
"""Parameters with their training values."""


def swapped_in(binding: Binding, store: IdentityStore) -> Kept:
    """Give the parameters their evaluation values; what they held is returned.

    A parameter that has had no update, or whose rule has no evaluation values, keeps its own.

    Raises:
        HyperparameterError: no parameter has a rule with evaluation values.
    """
    averaging = [key for key in binding.keys if _averages(store[key])]
    if not averaging:
        rules = sorted({repr(store[key].rule) for key in binding.keys})
        raise HyperparameterError(
            f"{', '.join(rules)} averages no values; end a chain with EMA, SWA or Lookahead, "
            f"or take ScheduleFreeSGD or ScheduleFreeAdamW"
        )
    with np.errstate(all="ignore"):
        new = [
            (key, _evaluation(key, store[key], binding.site(key)))
            for key in averaging
            if store[key].t
        ]
    return put(new)


def _averages(state: ParameterState) -> bool:
    """Whether a parameter's rule has evaluation values, asked with symbols."""
    rule = state.numbers
    names = "value", *rule.state_names(), *rule.scalar_names()
    symbols = {name: Expression(name, on_arrays=True) for name in names}
    return rule.evaluation(symbols["value"], symbols, Expression("t", on_arrays=False)) is not None


def _evaluation(key: Any, state: ParameterState, site: Site) -> Any:
    """A parameter's evaluation value, computed in the rule's working dtype."""
    ops, value = memory(key)
    working = working_dtype(value, ops)
    state.fit(value, ops, working, state.numbers, site)
    given = {**state.arrays, **state.scalars}
    exact = (
        cast(ops, value, working) if state.master is None else followed(state, value, ops, working)
    )
    found = state.numbers.evaluation(exact, given, state.t)
    found = cast(ops, found, value.dtype)
    return np.asarray(found) if ops is np else found
