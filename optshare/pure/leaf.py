"""One array of a tree: its state before the first update, and an update of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optshare.backend import placed
from optshare.dtypes import dtype_name, real_dtype, working_dtype
from optshare.errors import ParameterError
from optshare.fitting import as_numpy, require_fitting, require_floating
from optshare.kernels.beginning import begun
from optshare.kernels.mathematics import Mathematics
from optshare.kernels.program import numbers_of
from optshare.kernels.reference import cast, evaluate
from optshare.kernels.stages import Run, Stage, staged
from optshare.kernels.traced import Traced, is_number
from optshare.narrowing import is_dict, is_host
from optshare.orientation import Site
from optshare.parameter import Box, is_array
from optshare.registry import owner

LeafState = dict[str, Any]
"""The step count `"t"`, and the rule's arrays and numbers by name."""
Prepared = dict[tuple[Any, ...], tuple[list[Stage], Run]]


def begin(rule: Mathematics, now: Mathematics, value: Any, site: Site) -> LeafState:
    """The state of an array that has had no update.

    Raises:
        ParameterError: it is no array of real or complex numbers.
    """
    require_array(site.path, value)
    ops = functions_of(value)
    working = working_dtype(value, ops)
    try:
        fresh = begun(rule, now, ops, value, working, site)
    except ParameterError as error:
        raise ParameterError(f"{site.path!r} has dtype {dtype_name(working)}: {error}") from error
    return {"t": 0, **{name: _kept(each) for name, each in fresh.items()}}


@dataclass(frozen=True)
class Leaf:
    """An array with its gradient and its state, checked."""

    rule: Mathematics
    """A schedule counts as not 0."""
    now: Mathematics
    """With numbers in place of schedules."""
    ops: Any
    value: Any
    gradient: Any
    state: LeafState

    def updated(self, prepared: Prepared) -> tuple[Any, LeafState]:
        """The new value and state.

        Args:
            prepared: what leaves of this update have in common.
        """
        ops, working = self.ops, working_dtype(self.value, self.ops)
        numbers = self.rule.scalar_names()
        kept = {name: number_or_array(self.state[name]) for name in numbers}
        arrays = {n: each for n, each in self.state.items() if n != "t" and n not in numbers}
        t = number_or_array(self.state["t"]) + 1
        head, last = self._staged(t, kept, working, prepared)
        gradient, new = self.gradient, dict(self.state)
        for stage in head:
            its, gradient = stage.through(ops, self.value, gradient, arrays, working)
            new.update(its)
        scalars = {name: _worked(ops, each, working) for name, each in last.scalars.items()}
        given = gradient, last.own(arrays), scalars, working
        its, moved = evaluate(last.program, ops, self.value, *given)
        new |= {**last.whole(its), **last.numbers(), "t": t}
        found = {name: _kept(_alike(ops, new[name], self.state[name])) for name in self.state}
        return _kept(moved), found

    def _staged(
        self, t: Any, kept: LeafState, working: Any, prepared: Prepared
    ) -> tuple[list[Stage], Run]:
        counted = t if is_number(t) else _floating(self.ops, t, working)
        its = counted, *kept.values(), *numbers_of(self.now, lambda each: each).values()
        shared = all(map(is_number, its))
        place = (id(self.rule), *its) if shared else ()
        if not shared or place not in prepared:
            prepared[place] = staged(self.rule, self.now, counted, kept, Traced(self.ops))
        return prepared[place]


def checked(
    rule: Mathematics, now: Mathematics, path: str, value: Any, gradient: Any, state: Any
) -> Leaf:
    """An array with its gradient and its state.

    Raises:
        ParameterError: no array of real or complex numbers, or a state that is not the rule's.
        GradientShapeError: a gradient that does not fit.
    """
    require_array(path, value)
    _require_state(path, state, rule)
    given = gradient if is_array(gradient) else as_numpy(path, gradient)
    require_fitting(path, value, given)
    numbers = numbers_of(now, lambda each: each)
    traced = [each for each in (*state.values(), *numbers.values()) if is_array(each)]
    ops = functions_of(value, given, *traced)
    if is_host(given) and not is_host(value):
        given = placed(ops, np.asarray(given), value)
    return Leaf(rule, now, ops, value, given, state)


def functions_of(*arrays: Any) -> Any:
    """NumPy itself for its arrays, else the functions of the engine that owns them all."""
    others = [each for each in arrays if not is_host(each)]
    return owner(*others).ops if others else np


def require_array(path: str, value: Any) -> None:
    """Raise `ParameterError` for anything but an array of real or complex numbers."""
    if isinstance(value, Box):
        raise ParameterError(
            f"{path!r} is a {type(value).__name__}; the pure form takes arrays: pass its .value, "
            f"or update it with an Optimizer"
        )
    if not is_array(value):
        raise ParameterError(f"{path!r} is a {type(value).__name__}; params holds arrays only")
    require_floating(path, value.dtype)


def number_or_array(thing: Any) -> Any:
    """A number where NumPy has made an array of one."""
    return thing.item() if is_host(thing) and not thing.shape else thing


def _require_state(path: str, state: Any, rule: Mathematics) -> None:
    wanted = {"t", *rule.state_names(), *rule.scalar_names()}
    lacking = wanted.difference(state) if is_dict(state) else wanted
    if lacking:
        raise ParameterError(
            f"the state of {path!r} lacks {', '.join(sorted(lacking))} of "
            f"{type(rule).__name__}; begin with state = rule.init(params)"
        )


def _floating(ops: Any, t: Any, working: Any) -> Any:
    """A traced count as a floating number, at least as precise as a dtype."""
    found, wanted = t * 1.0, real_dtype(working, ops)
    narrow = dtype_name(found.dtype) != "float64" and dtype_name(wanted) == "float64"
    return ops.astype(found, wanted) if narrow else found


def _worked(ops: Any, scalar: Any, working: Any) -> Any:
    return scalar if is_number(scalar) else cast(ops, scalar, real_dtype(working, ops))


def _alike(ops: Any, new: Any, old: Any) -> Any:
    """What is new in the dtype of what was there, so that a loop's state keeps its form."""
    if is_number(old) or not is_array(new) or not is_array(old):
        return new
    return cast(ops, new, old.dtype)


def _kept(thing: Any) -> Any:
    """An array, where NumPy made a number of one without dimensions."""
    return np.asarray(thing) if is_host(thing) else thing
