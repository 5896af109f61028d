"""Applying rules to parameters: every gradient is checked, then everything is updated."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare import registry
from optshare.binding import Binding, Pairs
from optshare.errors import GradientShapeError, ParameterError
from optshare.kernels import numpy as numpy_kernel
from optshare.kernels.program import Program, program_of
from optshare.kernels.reference import evaluate
from optshare.narrowing import is_numpy
from optshare.state import IdentityStore, ParameterState, working_dtype

Prepared = dict[tuple[int, int], tuple[Program, dict[str, float]]]


def apply(binding: Binding, store: IdentityStore, pairs: Pairs) -> None:
    """Update each parameter that has a gradient and is not frozen.

    Raises:
        GradientShapeError: before anything is changed.
    """
    ready = [
        (key, _fitting(binding, key, gradient))
        for key, gradient in pairs
        if gradient is not None and not key.frozen
    ]
    ready = _apart(ready)
    prepared: Prepared = {}
    with np.errstate(all="ignore"):
        for key, gradient in ready:
            _update(key, gradient, store[key], prepared)


def _apart(ready: Pairs) -> Pairs:
    """The pairs, with copies of gradients that are arrays of parameters about to be written."""
    written = {id(key.stored) for key, _ in ready}
    return [
        (key, gradient.copy() if _is_or_views(gradient, written) else gradient)
        for key, gradient in ready
    ]


def _is_or_views(gradient: Any, written: set[int]) -> bool:
    return id(gradient) in written or id(getattr(gradient, "base", None)) in written


def _update(key: Any, gradient: Any, state: ParameterState, cache: Prepared) -> None:
    value = key.stored
    backend = registry.owner(value)
    working = working_dtype(value)
    state.fit(value, lambda like: backend.ops.zeros_like(like, dtype=working), working)
    place = id(state.rule), state.t + 1
    if place not in cache:
        recorded = program_of(state.rule)
        cache[place] = recorded, recorded.host(state.rule, state.t + 1)
    program, scalars = cache[place]
    given = value, gradient, state.arrays, scalars, working
    if is_numpy(value):
        numpy_kernel.apply(program, *given)
        key.replaced()
    else:
        state.arrays, new = evaluate(program, backend.ops, *given)
        backend.update(key, new)
    state.t += 1


def _fitting(binding: Binding, key: Any, gradient: Any) -> Any:
    """The gradient as an array that fits its parameter."""
    value = key.stored
    array = _as_numpy(binding, key, gradient) if is_numpy(value) else gradient
    if tuple(array.shape) != tuple(value.shape):
        raise GradientShapeError(
            f"the gradient of {binding.path(key)!r} has shape {tuple(array.shape)}, "
            f"the parameter {tuple(value.shape)}"
        )
    if is_numpy(value):
        _require_numbers(binding.path(key), value, array)
    return array


def _as_numpy(binding: Binding, key: Any, gradient: Any) -> Any:
    try:
        return np.asarray(gradient)
    except ValueError as error:
        raise GradientShapeError(
            f"the gradient of {binding.path(key)!r} is no array: {error}"
        ) from error


def _require_numbers(path: str, value: Any, gradient: Any) -> None:
    if value.dtype.kind != "f":
        raise ParameterError(f"{path!r} has dtype {value.dtype}; rules update real parameters only")
    if gradient.dtype.kind not in "fiu":
        raise GradientShapeError(
            f"the gradient of {path!r} has dtype {gradient.dtype}, not a real one"
        )
    if not value.flags.writeable:
        raise ParameterError(f"the array at {path!r} is read-only; pass a writable copy")
