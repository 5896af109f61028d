"""What an update has to do for each parameter, checked before anything is changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optshare import registry
from optshare.backend import Backend, Seam, placed, seam_of
from optshare.binding import Binding
from optshare.dtypes import dtype_name, is_complex
from optshare.errors import GradientShapeError, ParameterError
from optshare.fitting import as_numpy, require_fitting, require_floating
from optshare.narrowing import is_host
from optshare.orientation import Site
from optshare.paired import Paired
from optshare.parameter import is_array
from optshare.rules.transform import Given
from optshare.writing import is_in_place


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

    def arrays(self) -> tuple[Any, Any, Any]:
        """The array functions of the parameter's memory, its value and its gradient, untracked."""
        if self.view is not None:
            return np, self.view, self.gradient
        ops: Any = self.backend.ops
        return ops, ops.stop_gradient(self.key.stored), ops.stop_gradient(self.gradient)

    def given(self) -> Given:
        """What transforms are given."""
        return Given(self.key, self.site.path, *self.arrays())


def jobs_of(binding: Binding, pairs: Paired) -> list[Job]:
    """Each parameter that has a gradient and is not frozen, checked."""
    return [
        job_of(binding, key, gradient)
        for key, gradient in pairs
        if gradient is not None and not key.frozen
    ]


def job_of(binding: Binding, key: Any, gradient: Any) -> Job:
    """What to update, checked."""
    backend, path = registry.owner(key.stored), binding.path(key)
    seam, in_place = seam_of(backend), is_in_place(key, backend)
    view, memory = seam.host_view(key.stored), seam.memory(gradient)
    require_floating(path, key.stored.dtype)
    if view is None:
        gradient = _on_engine(path, backend, key.stored, gradient)
    else:
        gradient = _on_host(path, key.stored.dtype, gradient)
    require_fitting(path, key.stored, gradient)
    if view is not None and in_place:
        _require_writable(path, view)
    return Job(key, backend, seam, in_place, view, gradient, memory, binding.site(key))


def _on_engine(path: str, backend: Backend, value: Any, gradient: Any) -> Any:
    """A gradient as the engine's own array."""
    own = backend.name in registry.claimants(gradient.__class__)
    if own and is_host(gradient) == is_host(value):
        return gradient
    return placed(backend.ops, as_numpy(path, gradient), value)


def _on_host(path: str, dtype: Any, gradient: Any) -> Any:
    """A gradient as an array of NumPy's; converted to an engine's dtype if it needs to be."""
    if not is_array(gradient) or is_host(gradient):
        return as_numpy(path, gradient)
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


def _require_writable(path: str, value: Any) -> None:
    if not value.flags.writeable:
        raise ParameterError(f"the array at {path!r} is read-only; pass a writable copy")
    strides = zip(value.strides, value.shape, strict=True)
    if value.size and any(step == 0 and size > 1 for step, size in strides):
        raise ParameterError(f"elements of the array at {path!r} share memory; pass a copy of it")
