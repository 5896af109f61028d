"""Evaluation values: what averaging rules put in the parameters' place."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from optshare import registry
from optshare.backend import seam_of
from optshare.binding import Binding
from optshare.errors import HyperparameterError
from optshare.kernels.memory import aligned_copy
from optshare.rules.array import Site
from optshare.rules.expression import Expression
from optshare.slots import HeldSlot
from optshare.state import IdentityStore, ParameterState, working_dtype

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
    kept = [(key, _copied(key)) for key, _ in new]
    for key, value in new:
        write(key, value)
    return kept


def write(key: Any, value: Any) -> None:
    """Give a parameter a value in its own dtype and memory, in place where updates are."""
    backend = registry.owner(key.stored)
    seam, view = seam_of(backend), seam_of(backend).host_view(key.stored)
    if view is None:
        backend.update(key, value)
    elif registry.capabilities(backend.name).inplace and not isinstance(key, HeldSlot):
        np.copyto(view, value)
        seam.written(key.stored)
        key.replaced()
    else:
        backend.update(key, seam.adopt(aligned_copy(value)))


def _averages(state: ParameterState) -> bool:
    """Whether a parameter's rule has evaluation values, asked with symbols."""
    rule = state.numbers
    names = "value", *rule.state_names(), *rule.scalar_names()
    symbols = {name: Expression(name, on_arrays=True) for name in names}
    return rule.evaluation(symbols["value"], symbols, Expression("t", on_arrays=False)) is not None


def _evaluation(key: Any, state: ParameterState, site: Site) -> Any:
    """A parameter's evaluation value, computed in the rule's working dtype."""
    ops, value = _memory(key)
    working = working_dtype(value, ops)
    state.fit(value, ops, working, state.numbers, site)
    kept = {**state.arrays, **state.scalars}
    found = state.numbers.evaluation(_cast(ops, value, working), kept, state.t)
    found = _cast(ops, found, value.dtype)
    return np.asarray(found) if ops is np else found


def _memory(key: Any) -> tuple[Any, Any]:
    """The functions for a parameter's memory, and its value there."""
    backend = registry.owner(key.stored)
    view = seam_of(backend).host_view(key.stored)
    if view is not None:
        return np, view
    ops: Any = backend.ops
    return ops, ops.stop_gradient(key.stored)


def _copied(key: Any) -> Any:
    ops, value = _memory(key)
    return value.copy() if ops is np else copy.deepcopy(value)


def _cast(ops: Any, array: Any, dtype: Any) -> Any:
    return array if array.dtype == dtype else ops.astype(array, dtype)
