"""What a check asks: a backend by its name, with arrays and gradients in NumPy's memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from optshare import registry
from optshare.backend import Backend, Capabilities, seam_of
from optshare.parameter import Parameter


def kind_of(thing: Any) -> Any:
    """The type of an engine's array."""
    return thing.__class__


class NotDeclared(Exception):  # noqa: N818 # no error: the check does not apply
    """A check asks for a function that the backend does not have."""


class Subject:
    """A backend that is being checked.

    >>> subject = Subject("tape")
    >>> subject.gradients(lambda x: x * x, np.array(3.0))[1]
    array(6.)
    """

    device: str | None = None
    """Where layers are put; by default where the engine puts arrays itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.backend: Backend = registry.load(name)
        self.ops: Any = self.backend.ops
        self.capabilities: Capabilities = registry.capabilities(name)

    def in_use(self) -> AbstractContextManager[Any]:
        """A `with` in which this backend is preferred."""
        return registry.use(self.name)

    def require_function(self, name: str) -> None:
        """Raise `NotDeclared` for a function that `ops` does not have, and cannot compose."""
        found: Any = self.ops
        for part in name.split("."):
            try:
                found = getattr(found, part)
            except AttributeError as error:
                raise NotDeclared(f"ops has no {name}") from error

    def array(self, values: Any, dtype: Any = None) -> Any:
        """The backend's array of these numbers."""
        return self.ops.asarray(np.array(values, dtype))

    def host(self, array: Any) -> Any:
        """The numbers of an array in NumPy's memory; `None` stays."""
        if array is None or isinstance(array, int | float):
            return array
        return seam_of(self.backend).host_copy(array)

    def holds_still(self) -> bool:
        """Whether the memory of its arrays cannot be written at all."""
        view = seam_of(self.backend).host_view(self.array([1.0]))
        return not self.capabilities.inplace and view is not None and not view.flags.writeable

    def parameter(self, values: Any, dtype: Any = None) -> Parameter:
        """A Parameter that holds the backend's array."""
        return Parameter(self.array(values, dtype))

    def gradients(self, fn: Callable[..., Any], *values: Any) -> list[Any]:
        """The value of a scalar function of arrays, and its gradients, by way of Parameters."""
        keys = [self.parameter(each) for each in values]
        value, found = self.backend.gradient(lambda: fn(*(key.value for key in keys)), keys)
        return [self.host(value), *map(self.host, found)]
