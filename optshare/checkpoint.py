"""The state of an optimizer at rest: by path, in plain arrays and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.binding import Binding
from optshare.dtypes import dtype_name
from optshare.errors import CheckpointError, HyperparameterError
from optshare.kernels.beginning import begun
from optshare.narrowing import is_dict
from optshare.orientation import Site
from optshare.pipeline import Pipeline
from optshare.registry import host_copy
from optshare.rules.base import Rule
from optshare.rules.values import scheduled_or
from optshare.state import IdentityStore, ParameterState
from optshare.tree import Named
from optshare.writing import beside

FORMAT = "optshare.optimizer.1"
KEPT = (
    "aliases",
    "group",
    "rule",
    "shape",
    "dtype",
    "hyperparameters",
    "t",
    "step",
    "arrays",
    "scalars",
    "master",
)


def saved(binding: Binding, store: IdentityStore, steps: int, pipeline: Pipeline) -> dict[str, Any]:
    """Everything needed to go on later; nothing in it is shared with the optimizer."""
    return {
        "format": FORMAT,
        "steps": steps,
        "parameters": {each.path: _saved_one(each, store[each.key]) for each in binding.entries},
        "transforms": pipeline.saved(binding, steps),
    }


def _saved_one(entry: Named, state: ParameterState) -> dict[str, Any]:
    return {
        "aliases": list(entry.aliases),
        "shape": tuple(entry.key.shape),
        "dtype": dtype_name(entry.key.dtype),
        "group": state.group,
        "rule": state.rule.kind,
        "hyperparameters": state.numbers.hyperparameters(),
        "t": state.t,
        "step": state.step,
        "arrays": {name: host_copy(each) for name, each in state.arrays.items()},
        "scalars": dict(state.scalars),
        "master": None if state.master is None else host_copy(state.master),
    }


def restored(
    binding: Binding, store: IdentityStore, data: dict[str, Any], pipeline: Pipeline
) -> tuple[IdentityStore, int, Pipeline]:
    """A new store, the count of steps, and the transforms, from what `saved` gave.

    Strict, and changes nothing. Schedules are those of the store that there is.

    Raises:
        CheckpointError: the data has another format, other paths, or a
            parameter of another shape, dtype or rule.
    """
    given = data.get("format") if is_dict(data) else type(data).__name__
    if given != FORMAT:
        raise CheckpointError(f"the state has format {given!r}, not {FORMAT!r}")
    parameters: Any = data.get("parameters", {})
    if not is_dict(parameters):
        raise CheckpointError(f"the parameters are a {type(parameters).__name__}, not a dict")
    _require_equal_paths(set(parameters), {each.path for each in binding.entries})
    try:
        steps, pipeline = _steps(data), pipeline.restored(binding, data.get("transforms", []))
        pairs = [
            (each.key, _restored_one(each, site, store[each.key], parameters[each.path]))
            for each in binding.entries
            for site in (binding.site(each.key),)
        ]
        _require_equal_groups(binding, store, parameters)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"the state is malformed: {error}") from error
    beyond = [key for key, state in pairs if not -1 <= state.step < steps]
    if beyond:
        path = binding.path(beyond[0])
        raise CheckpointError(f"{path!r}: its last update is at none of the saved {steps} steps")
    _share_rules([(store[key].rule, state) for key, state in pairs])
    return IdentityStore(pairs), steps, pipeline


def _require_equal_groups(
    binding: Binding, store: IdentityStore, parameters: dict[str, Any]
) -> None:
    """Raise unless two parameters are in one group where they are saved in one."""
    ours: dict[str, str] = {}
    theirs: dict[str, str] = {}
    for each in binding.entries:
        saved, own = parameters[each.path]["group"], store[each.key].group
        if ours.setdefault(saved, own) != own or theirs.setdefault(own, saved) != saved:
            raise CheckpointError(
                f"{each.path!r}: it was saved in {_group(saved)}, here it is in {_group(own)}; "
                f"give this optimizer the groups of the one that was saved"
            )


def _group(name: str) -> str:
    return f"the group {name!r}" if name else "no group"


def _share_rules(pairs: list[tuple[Rule, ParameterState]]) -> None:
    """Let the states whose rule was one, and has equal numbers now, have one again."""
    found: dict[int, list[Rule]] = {}
    for before, state in pairs:
        known = found.setdefault(id(before), [])
        if state.rule not in known:
            known.append(state.rule)
        state.rule = known[known.index(state.rule)]


def _steps(data: dict[str, Any]) -> int:
    if "steps" not in data:
        raise CheckpointError("the saved state lacks steps")
    steps = int(data["steps"])
    if steps < 0:
        raise CheckpointError(f"the saved count of steps is {steps}")
    return steps


def _require_equal_paths(given: set[str], wanted: set[str]) -> None:
    if given != wanted:
        raise CheckpointError(
            f"the state belongs to another model; it lacks {sorted(wanted - given) or 'nothing'} "
            f"and has beyond it {sorted(given - wanted) or 'nothing'}"
        )


def _restored_one(
    entry: Named, site: Site, present: ParameterState, data: dict[str, Any]
) -> ParameterState:
    rule = present.rule
    missing = [name for name in KEPT if name not in data]
    if missing:
        raise CheckpointError(f"{entry.path!r}: the saved state lacks {', '.join(missing)}")
    _require_same(entry, "aliases", list(data["aliases"]), list(entry.aliases))
    _require_same(entry, "rule", data["rule"], rule.kind)
    _require_same(entry, "shape", tuple(data["shape"]), tuple(entry.key.shape))
    _require_same(entry, "dtype", data["dtype"], dtype_name(entry.key.dtype))
    saved, own = data["hyperparameters"], rule.hyperparameters()
    _require_same(entry, "hyperparameters", set(saved), set(own))
    try:
        state = ParameterState(
            rule.adjusted(**{name: scheduled_or(saved[name], own[name]) for name in own}),
            present.group,
        )
    except HyperparameterError as error:
        raise CheckpointError(f"{entry.path!r}: {error}") from error
    state.t = int(data["t"])
    if state.t < 0:
        raise CheckpointError(f"{entry.path!r}: the saved step count is {state.t}")
    state.step = int(data["step"])
    fresh = _fresh(entry, state, site) if state.t else {}
    numbers = state.rule.scalar_names() if state.t else ()
    _require_same(entry, "state arrays", sorted(data["arrays"]), sorted(fresh))
    _require_same(entry, "state numbers", sorted(data["scalars"]), sorted(numbers))
    state.scalars = {name: float(each) for name, each in data["scalars"].items()}
    state.arrays = {
        name: _array(entry, name, data["arrays"][name], each) for name, each in fresh.items()
    }
    if data["master"] is not None:
        like = np.zeros(tuple(entry.key.shape), _saved_dtype(entry))
        state.master = _array(entry, "master", data["master"], like)
    return state


def _fresh(entry: Named, state: ParameterState, site: Site) -> dict[str, Any]:
    """Arrays like those that a rule keeps for a parameter."""
    dtype = _saved_dtype(entry)
    value = np.zeros(tuple(entry.key.shape), dtype)
    fresh = begun(state.rule, state.numbers, np, value, dtype, site)
    numbers = state.rule.scalar_names()
    return {name: np.asarray(each) for name, each in fresh.items() if name not in numbers}


def _array(entry: Named, name: str, data: Any, like: Any) -> Any:
    try:
        array = np.array(data, like.dtype)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{entry.path!r}: {name} is no array: {error}") from error
    _require_same(entry, f"shape of {name}", array.shape, like.shape)
    return beside(entry.key, array)


def _saved_dtype(entry: Named) -> str:
    name = dtype_name(entry.key.dtype)
    return "float32" if "float16" in name else name


def _require_same(entry: Named, what: str, given: Any, wanted: Any) -> None:
    if given != wanted:
        raise CheckpointError(
            f"{entry.path!r}: the saved {what} is {given!r}, here it is {wanted!r}"
        )
