"""Applying rules to parameters: every gradient is checked, then everything is updated."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optshare import registry
from optshare.backend import Backend
from optshare.binding import Binding, Pairs
from optshare.errors import GradientShapeError, ParameterError
from optshare.kernels import numpy as numpy_kernel
from optshare.kernels.program import Program, program_of
from optshare.kernels.reference import evaluate
from optshare.parameter import is_array
from optshare.state import IdentityStore, ParameterState, working_dtype

Prepared = dict[tuple[int, int], tuple[Program, dict[str, float]]]


class Job(NamedTuple):
    """One parameter to update."""

    key: Any
    backend: Backend
    view: Any
    """The parameter's memory as an array of NumPy's, or `None`."""
    gradient: Any
    """In NumPy's memory if the parameter is, else the engine's array."""


def apply(binding: Binding, store: IdentityStore, pairs: Pairs) -> None:
    """Update each parameter that has a gradient and is not frozen.

    Raises:
        GradientShapeError: before anything is changed.
    """
    jobs = [
        _job(binding, key, gradient)
        for key, gradient in pairs
        if gradient is not None and not key.frozen
    ]
    written = {id(_root(job.view)) for job in jobs if job.view is not None}
    prepared: Prepared = {}
    with np.errstate(all="ignore"):
        for job in [_apart(job, written) for job in jobs]:
            _update(job, store[job.key], prepared)


def _apart(job: Job, written: set[int]) -> Job:
    """The job, with a copy of a gradient that is the array of a parameter about to be written."""
    shared = job.view is not None and id(_root(job.gradient)) in written
    return job._replace(gradient=job.gradient.copy()) if shared else job


def _root(array: Any) -> Any:
    """What owns the memory of an array of NumPy's."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def _update(job: Job, state: ParameterState, prepared: Prepared) -> None:
    on_host = job.view is not None
    value, ops = (job.view, np) if on_host else (job.key.stored, job.backend.ops)
    working = working_dtype(value, ops)
    state.fit(value, ops, working)
    program, scalars = _prepared(state, prepared)
    given = value, job.gradient, state.arrays, scalars, working
    if on_host:
        numpy_kernel.apply(program, *given)
        job.backend.written(job.key.stored)
        job.key.replaced()
    else:
        state.arrays, new = evaluate(program, job.backend.ops, *given)
        job.backend.update(job.key, new)
    state.t += 1


def _prepared(state: ParameterState, prepared: Prepared) -> tuple[Program, dict[str, float]]:
    """The program of a rule and its scalars, once for all parameters of one rule and step."""
    place = id(state.rule), state.t + 1
    if place not in prepared:
        program = program_of(state.rule)
        prepared[place] = program, program.host(state.rule, state.t + 1)
    return prepared[place]


def _job(binding: Binding, key: Any, gradient: Any) -> Job:
    """What to update, checked."""
    backend, path = registry.owner(key.stored), binding.path(key)
    view = backend.host_view(key.stored)
    if view is not None:
        gradient = _on_host(path, backend, gradient)
    shape = tuple(key.stored.shape)
    if tuple(gradient.shape) != shape:
        raise GradientShapeError(
            f"the gradient of {path!r} has shape {tuple(gradient.shape)}, the parameter {shape}"
        )
    if view is not None:
        _require_numbers(path, view, gradient)
    return Job(key, backend, view, gradient)


def _on_host(path: str, backend: Backend, gradient: Any) -> Any:
    """A gradient as an array of NumPy's."""
    if is_array(gradient) and type(gradient).__module__ != "numpy":
        view = backend.host_view(gradient)
        if view is None:
            raise GradientShapeError(
                f"the gradient of {path!r}, {type(gradient).__name__} of {gradient.dtype}, "
                f"cannot be read as an array in host memory; convert it"
            )
        return view
    try:
        return np.asarray(gradient)
    except ValueError as error:
        raise GradientShapeError(f"the gradient of {path!r} is no array: {error}") from error


def _require_numbers(path: str, value: Any, gradient: Any) -> None:
    if value.dtype.kind != "f":
        raise ParameterError(f"{path!r} has dtype {value.dtype}; rules update real parameters only")
    if gradient.dtype.kind not in "fiu":
        raise GradientShapeError(
            f"the gradient of {path!r} has dtype {gradient.dtype}, not a real one"
        )
    if not value.flags.writeable:
        raise ParameterError(f"the array at {path!r} is read-only; pass a writable copy")
