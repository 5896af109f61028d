"""Applying rules to parameters: every gradient is checked, then everything is updated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optshare.batches.batch import Member
from optshare.batches.matching import Batches, Ready
from optshare.binding import Binding
from optshare.dtypes import dtype_name, is_complex, working_dtype
from optshare.errors import ParameterError
from optshare.jobs import Job, jobs_of
from optshare.kernels import numpy as numpy_kernel
from optshare.kernels.kinds import complex_names
from optshare.kernels.memory import aligned_copy
from optshare.kernels.reference import cast, evaluate
from optshare.kernels.stages import Run, Stage, staged
from optshare.masters import followed
from optshare.paired import Paired
from optshare.passing import passing
from optshare.pipeline import Kept, Pipeline
from optshare.rules.base import Rule
from optshare.rules.transform import Given
from optshare.state import IdentityStore, ParameterState
from optshare.writing import write

Numbers = dict[int, Rule]
"""Each rule at a step, by the id of the rule with its schedules."""
Prepared = dict[tuple[Any, ...], tuple[list[Stage], Run]]


class Plan(NamedTuple):
    """An update that has been checked; nothing is changed yet."""

    ready: list[Ready]
    """What is updated many at a time."""
    jobs: list[Job]
    """What is updated one at a time."""
    states: list[ParameterState]
    """For each job, its parameter's."""
    scale: float
    """What the gradients of what is ready are multiplied by."""
    rules: Numbers
    step: int
    """The optimizer's step that this is, from 0."""
    steps: int
    """How many steps there have been after it; an update of nothing is none."""
    kept: list[Kept]
    """What the transforms keep after it."""
    gradients: dict[int, Any]
    """As they were given, by the id of the parameter."""


def planned(
    binding: Binding,
    store: IdentityStore,
    pairs: Paired,
    steps: int,
    *,
    pipeline: Pipeline,
    policy: str,
    batches: Batches,
    whole: bool = True,
) -> Plan:
    """The update of each parameter that has a gradient and is not frozen.

    Args:
        binding: the parameters.
        store: their state.
        pairs: parameters with their gradients.
        steps: how many steps there have been.
        pipeline: the transforms.
        policy: what to do about gradients that are not finite.
        batches: what can be updated many at a time.
        whole: whether this is a step of its own; otherwise it belongs to the last one,
            unless a parameter has had its update there.

    Raises:
        GradientShapeError: a gradient does not fit its parameter.
        HyperparameterError: a schedule gives no number, or one out of range.
        NonFiniteGradientError: a gradient is not finite, and the policy is `"raise"`.
    """
    live = pairs.live()
    ready, rest = batches.taken(store, live)
    jobs = jobs_of(binding, rest)
    last = [each.batch.step for each in ready] + [store[job.key].step for job in jobs]
    step = steps if whole or steps - 1 in last else steps - 1
    found = passing(binding, ready, jobs, pipeline, policy, step, live)
    states = [store[job.key] for job in found.jobs]
    _require_kinds(found.jobs, states)
    distinct = {id(state.rule): state.rule for state in states}
    distinct |= {id(rule): rule for each in found.ready for rule in each.batch.rules}
    rules = {place: rule.at(step) for place, rule in distinct.items()}
    after = step + 1 if found.jobs or found.ready else steps
    given = {id(key): gradient for key, gradient in live} if found.jobs else {}
    return Plan(found.ready, found.jobs, states, found.scale, rules, step, after, found.kept, given)


def _require_kinds(jobs: list[Job], states: list[ParameterState]) -> None:
    """Raise `ParameterError` for a complex parameter whose rule is of real numbers only."""
    for job, state in zip(jobs, states, strict=True):
        if is_complex(job.key.stored.dtype):
            try:
                complex_names(state.rule)
            except ParameterError as error:
                dtype = dtype_name(job.key.stored.dtype)
                raise ParameterError(f"{job.site.path!r} has dtype {dtype}: {error}") from error


def moved(given: Given, offset: Any) -> tuple[Any, Any]:
    """A parameter, and its value plus an offset."""
    new = given.value + offset
    return given.key, cast(given.ops, new, given.value.dtype)


def apply(plan: Plan, batches: Batches, *, masters: bool = False) -> None:
    """Update the parameters and their states.

    Args:
        plan: what to do.
        batches: to which those are added that can be updated many at a time from now on.
        masters: keep single-precision masters of parameters in half precision.
    """
    with np.errstate(all="ignore"):
        jobs = _all_apart(plan)
        for batch, _ in plan.ready:
            batch.update(plan.rules, plan.step, plan.scale)
        prepared: Prepared = {}
        for job, state in zip(jobs, plan.states, strict=True):
            _update(job, state, plan.rules, prepared, masters)
            state.step = plan.step
        if jobs:
            batches.learn(map(Member, jobs, plan.states), plan.gradients)


def _all_apart(plan: Plan) -> list[Job]:
    """The jobs, none of whose gradients is the memory of a parameter about to be written."""
    if not plan.jobs:
        return []
    written = {job.seam.memory(job.key.stored) for job in plan.jobs}
    written.update(*(each.batch.memories() for each in plan.ready))
    return [_apart(job, written) for job in plan.jobs]


def _apart(job: Job, written: set[int]) -> Job:
    """The job, with a copy of a gradient that is the array of a parameter about to be written."""
    return job._replace(gradient=job.gradient + 0) if job.memory in written else job


def _update(
    job: Job, state: ParameterState, rules: Numbers, prepared: Prepared, masters: bool
) -> None:
    ops, value, gradient = job.arrays()
    working = working_dtype(value, ops)
    if job.scale != 1.0:
        gradient = cast(ops, gradient, working) * job.scale
    state.fit(value, ops, working, rules[id(state.rule)], job.site)
    has_master = masters and value.dtype != working
    held = followed(state, value, ops, working) if has_master else value
    head, last = _prepared(state, rules, prepared)
    new, arrays = dict[str, Any](), dict(state.arrays)
    for stage in head:
        its, gradient = stage.through(ops, held, gradient, arrays, working)
        new.update(its)
    given = gradient, last.own(arrays), last.scalars, working
    if ops is not np:
        its, moved = evaluate(last.program, ops, held, *given)
        new.update(last.whole(its))
        job.backend.update(job.key, cast(ops, moved, value.dtype))
    elif has_master:
        moved = held
        numpy_kernel.apply(last.program, moved, *given)
        write(job.key, cast(np, moved, value.dtype))
    elif job.in_place:
        moved = value
        numpy_kernel.apply(last.program, value, *given)
        job.seam.written(job.key.stored)
        job.key.replaced()
    else:
        moved = aligned_copy(value)
        numpy_kernel.apply(last.program, moved, *given)
        job.backend.update(job.key, job.seam.adopt(moved))
    state.master = moved if has_master else None
    state.t += 1
    state.take({**new, **last.numbers()})


def _prepared(state: ParameterState, rules: Numbers, prepared: Prepared) -> tuple[list[Stage], Run]:
    """The stages of a rule, once for all parameters in one state of one rule."""
    place = id(state.rule), state.t + 1, *state.scalars.values()
    if place not in prepared:
        now = rules[id(state.rule)]
        prepared[place] = staged(state.rule, now, state.t + 1, dict(state.scalars))
    return prepared[place]
