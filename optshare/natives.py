"""The frameworks' own arrays and models, by way of their backends."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from optshare import registry
from optshare.backend import placed
from optshare.errors import BackendError
from optshare.narrowing import is_host, is_numpy
from optshare.orientation import Fans


class Natives:
    """Asks the backend that claims the type."""

    def pairs(self, thing: Any) -> list[tuple[str, Any]] | None:
        """Pairs (path, box) of a framework's own model; `None` for anything else."""
        names = registry.native_claimants(thing.__class__)
        return registry.load(names[0]).params(thing) if names else None

    def buffers(self, thing: Any) -> list[tuple[str, Any]]:
        """Pairs (path, box) of what a framework's own model holds beside its parameters."""
        backend: Any = registry.load(registry.native_claimants(_kind(thing))[0])
        return backend.buffers(thing) if hasattr(backend, "buffers") else []

    def fans(self, thing: Any) -> dict[str, Fans]:
        """The axes of the weights of a framework's own model, by path, where it knows them."""
        backend: Any = registry.load(registry.native_claimants(_kind(thing))[0])
        return backend.fans(thing) if hasattr(backend, "fans") else {}

    def rebuilt(self, thing: Any, values: dict[str, Any], *, keep: bool = True) -> Any:
        """A framework's own immutable model with other arrays at some paths."""
        backend: Any = registry.load(registry.native_claimants(_kind(thing))[0])
        return backend.rebuilt(thing, values, keep=keep)

    def is_immutable(self, array: Any) -> bool:
        """Whether the backend that claims an array does not declare `inplace`."""
        names = registry.claimants(_kind(array))
        return bool(names) and not registry.capabilities(names[0]).inplace

    def outside(self, array: Any) -> Any:
        """What a Parameter of this array reads as where nothing is being differentiated."""
        kind = _kind(array)
        if kind is np.ndarray or not (names := registry.claimants(kind)):
            return array
        try:
            backend: Any = registry.load(names[0])
        except BackendError:
            return array
        return backend.outside(array) if hasattr(backend, "outside") else array

    def converted(self, data: Any, like: Any) -> Any:
        """Python numbers, or an array of NumPy's, as an array of the engine of another."""
        if is_host(like):
            return np.asarray(data, like.dtype)
        ops: Any = registry.owner(like).ops
        dtype = None if is_numpy(data) else like.dtype
        array = placed(ops, np.asarray(data), like)
        return array if dtype is None or array.dtype == dtype else ops.astype(array, dtype)


def _kind(thing: Any) -> type:
    return cast(type, thing.__class__)
