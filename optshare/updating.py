"""Applying rules to parameters: every gradient is checked, then everything is updated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optshare import registry
from optshare.backend import Backend, Seam, placed, seam_of
from optshare.binding import Binding, Pairs
from optshare.dtypes import dtype_name, is_complex, working_dtype
from optshare.errors import GradientShapeError, ParameterError
from optshare.kernels import numpy as numpy_kernel
from optshare.kernels.kinds import complex_names
from optshare.kernels.memory import aligned_copy
from optshare.kernels.reference import cast, evaluate
from optshare.kernels.stages import Run, Stage, staged
from optshare.masters import followed
from optshare.narrowing import is_host
from optshare.orientation import Site
from optshare.parameter import is_array
from optshare.pipeline import Kept, Pipeline
from optshare.rules.base import Rule
from optshare.rules.transform import Given
from optshare.slots import HeldSlot
from optshare.state import IdentityStore, ParameterState
from optshare.writing import memory, write

Numbers = dict[int, Rule]
"""Each rule at a step, by the id of the rule with its schedules."""
Prepared = dict[tuple[Any, ...], tuple[list[Stage], Run]]


class Job(NamedTuple):
    """One parameter to update."""

    key: Any
    backend: Backend
    seam: Seam
    in_place: bool
    """Whether the engine lets its memory be written."""
    view: Any
    """The parameter's memory as an array of NumPy's, or `None`."""
    gradient: Any
    """In NumPy's memory if the parameter is, else the engine's array."""
    memory: int
    """What the gradient shares with arrays in the same memory."""
    site: Site
    scale: float = 1.0
    """What the gradient is multiplied by."""

    def given(self) -> Given:
        """What transforms are given."""
        if self.view is not None:
            return Given(self.key, self.site.path, np, self.view, self.gradient)
        ops: Any = self.backend.ops
        value, gradient = map(ops.stop_gradient, (self.key.stored, self.gradient))
        return Given(self.key, self.site.path, ops, value, gradient)


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


def jobs_of(binding: Binding, pairs: Pairs) -> list[Job]:
    """Each parameter that has a gradient and is not frozen, checked."""
    return [
        _job(binding, key, gradient)
        for key, gradient in pairs
        if gradient is not None and not key.frozen
    ]


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
    job = _job(binding, given.key, given.gradient) if job is None else job
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
    ops: Any = np if job.view is not None else job.backend.ops
    value, gradient = job.given()[3:5]
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


def _job(binding: Binding, key: Any, gradient: Any) -> Job:
    """What to update, checked."""
    backend, path = registry.owner(key.stored), binding.path(key)
    declared = registry.capabilities(backend.name).inplace
    seam, in_place = seam_of(backend), declared and not isinstance(key, HeldSlot)
    view, memory = seam.host_view(key.stored), seam.memory(gradient)
    if view is None:
        _require_floating(path, dtype_name(key.stored.dtype))
        gradient = _on_engine(path, backend, key.stored, gradient)
    else:
        gradient = _on_host(path, key.stored.dtype, gradient)
    shape = tuple(key.stored.shape)
    if tuple(gradient.shape) != shape:
        raise GradientShapeError(
            f"the gradient of {path!r} has shape {tuple(gradient.shape)}, the parameter {shape}"
        )
    if view is not None:
        _require_numbers(path, view, gradient)
        if in_place:
            _require_writable(path, view)
    return Job(key, backend, seam, in_place, view, gradient, memory, binding.site(key))


def _on_engine(path: str, backend: Backend, value: Any, gradient: Any) -> Any:
    """A gradient as the engine's own array of real numbers."""
    own = backend.name in registry.claimants(gradient.__class__)
    if own and is_host(gradient) == is_host(value):
        array = gradient
    else:
        array = placed(backend.ops, _as_numpy(path, gradient), value)
    if is_complex(array.dtype) and not is_complex(value.dtype):
        raise GradientShapeError(
            f"the gradient of {path!r} has dtype {array.dtype}, not a real one"
        )
    return array


def _on_host(path: str, dtype: Any, gradient: Any) -> Any:
    """A gradient as an array of NumPy's; converted to an engine's dtype if it needs to be."""
    if not is_array(gradient) or is_host(gradient):
        return _as_numpy(path, gradient)
    owner: Any = registry.owner(gradient)
    view = seam_of(owner).host_view(gradient)
    if view is None and is_complex(dtype) >= is_complex(gradient.dtype):
        named = getattr(owner.ops, dtype_name(dtype))
        view = seam_of(owner).host_view(owner.ops.astype(gradient, named))
    if view is None:
        raise GradientShapeError(
            f"the gradient of {path!r}, {type(gradient).__name__} of {gradient.dtype}, "
            f"cannot be read as an array in host memory; convert it"
        )
    return view


def _as_numpy(path: str, gradient: Any) -> Any:
    try:
        return np.asarray(gradient)
    except ValueError as error:
        raise GradientShapeError(f"the gradient of {path!r} is no array: {error}") from error


def _require_numbers(path: str, value: Any, gradient: Any) -> None:
    _require_floating(path, value.dtype.name)
    if gradient.dtype.kind not in ("fiuc" if is_complex(value.dtype) else "fiu"):
        raise GradientShapeError(
            f"the gradient of {path!r} has dtype {gradient.dtype}, not a real one"
        )


def _require_floating(path: str, dtype: str) -> None:
    if "float" not in dtype and "complex" not in dtype:
        raise ParameterError(
            f"{path!r} has dtype {dtype}; rules update real and complex parameters only"
        )


def _require_writable(path: str, value: Any) -> None:
    if not value.flags.writeable:
        raise ParameterError(f"the array at {path!r} is read-only; pass a writable copy")
    strides = zip(value.strides, value.shape, strict=True)
    if value.size and any(step == 0 and size > 1 for step, size in strides):
        raise ParameterError(f"elements of the array at {path!r} share memory; pass a copy of it")
