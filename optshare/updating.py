"""Applying rules to parameters: every gradient is checked, then everything is updated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optshare.binding import Binding, Pairs
from optshare.dtypes import dtype_name, is_complex, working_dtype
from optshare.errors import ParameterError
from optshare.jobs import Job, job_of, jobs_of
from optshare.kernels import numpy as numpy_kernel
from optshare.kernels.kinds import complex_names
from optshare.kernels.memory import aligned_copy
from optshare.kernels.reference import cast, evaluate
from optshare.kernels.stages import Run, Stage, staged
from optshare.masters import followed
from optshare.pipeline import Kept, Pipeline
from optshare.rules.base import Rule
from optshare.rules.transform import Given
from optshare.state import IdentityStore, ParameterState
from optshare.writing import memory, write

Numbers = dict[int, Rule]
"""Each rule at a step, by the id of the rule with its schedules."""
Prepared = dict[tuple[Any, ...], tuple[list[Stage], Run]]


class Plan(NamedTuple):
    """An update that has been checked; nothing is changed yet."""

    jobs: list[Job]
    states: list[ParameterState]
    """For each job, its parameter's."""
    rules: Numbers
    step: int
    """The optimizer's step that this is, from 0."""
    steps: int
    """How many steps there have been after it; an update of nothing is none."""
    kept: list[Kept]
    """What the transforms keep after it."""


def planned(
    binding: Binding,
    store: IdentityStore,
    pairs: Pairs,
    steps: int,
    *,
    pipeline: Pipeline,
    policy: str,
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
        whole: whether this is a step of its own; otherwise it belongs to the last one,
            unless a parameter has had its update there.

    Raises:
        GradientShapeError: a gradient does not fit its parameter.
        HyperparameterError: a schedule gives no number, or one out of range.
        NonFiniteGradientError: a gradient is not finite, and the policy is `"raise"`.
    """
    jobs = jobs_of(binding, pairs)
    begins = whole or any(store[job.key].step == steps - 1 for job in jobs)
    step = steps if begins else steps - 1
    jobs, kept = _transformed(binding, jobs, pipeline, policy, step)
    states = [store[job.key] for job in jobs]
    _require_kinds(jobs, states)
    distinct = {id(state.rule): state.rule for state in states}
    rules = {place: rule.at(step) for place, rule in distinct.items()}
    return Plan(jobs, states, rules, step, step + 1 if jobs else steps, kept)


def _require_kinds(jobs: list[Job], states: list[ParameterState]) -> None:
    """Raise `ParameterError` for a complex parameter whose rule is of real numbers only."""
    for job, state in zip(jobs, states, strict=True):
        if is_complex(job.key.stored.dtype):
            try:
                complex_names(state.rule)
            except ParameterError as error:
                dtype = dtype_name(job.key.stored.dtype)
                raise ParameterError(f"{job.site.path!r} has dtype {dtype}: {error}") from error


def _transformed(
    binding: Binding, jobs: list[Job], pipeline: Pipeline, policy: str, step: int
) -> tuple[list[Job], list[Kept]]:
    """The jobs after all transforms, none if there is to be no update, and what those keep."""
    if not jobs or (policy == "propagate" and not pipeline.transforms):
        return jobs, pipeline.kept

    def made(key: Any) -> Given:
        return Given(key, binding.path(key), *memory(key), None)

    with np.errstate(all="ignore"):
        passed = pipeline.passed([job.given() for job in jobs], made, policy, step)
    known = {id(job.key): job for job in jobs}
    live = [each for each in passed.given if not each.key.frozen]
    return [_after(binding, known.get(id(each.key)), each) for each in live], passed.kept


def moved(given: Given, offset: Any) -> tuple[Any, Any]:
    """A parameter, and its value plus an offset."""
    new = given.value + offset
    return given.key, cast(given.ops, new, given.value.dtype)


def _after(binding: Binding, job: Job | None, given: Given) -> Job:
    """A job with the gradient that transforms made of it, or of what they had kept."""
    job = job_of(binding, given.key, given.gradient) if job is None else job
    return job._replace(gradient=given.gradient, scale=given.scale)


def apply(plan: Plan, *, masters: bool = False) -> None:
    """Update the parameters and their states.

    Args:
        plan: what to do.
        masters: keep single-precision masters of parameters in half precision.
    """
    written = {job.seam.memory(job.key.stored) for job in plan.jobs}
    jobs = [_apart(job, written) for job in plan.jobs]
    prepared: Prepared = {}
    with np.errstate(all="ignore"):
        for job, state in zip(jobs, plan.states, strict=True):
            _update(job, state, plan.rules, prepared, masters)
            state.step = plan.step


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
    new: dict[str, Any] = {}
    for stage in head:
        its, gradient = stage.through(ops, held, gradient, state.arrays, working)
        new.update(its)
    given = gradient, last.own(state.arrays), last.scalars, working
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
        prepared[place] = staged(state.rule, now, state.t + 1, state.scalars)
    return prepared[place]
