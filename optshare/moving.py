"""Moving models between engines and dtypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from optshare import registry
from optshare.backend import Backend
from optshare.dtypes import dtype_name, host_dtype
from optshare.errors import EmptyModelError, OptshareError, ParameterError
from optshare.slots import Slot
from optshare.tree import buffers, keyed

M = TypeVar("M")


def to(model: M, backend: str, *, dtype: str | None = None, device: Any = None) -> M:
    """Give every Parameter of a model an array of another engine, in place; gives the model.

    Identities, ties and the state of optimizers are kept, so training goes on
    where it was. Buffers of floating numbers move too; counters stay on the host.

    Args:
        model: any object that holds Parameters.
        backend: the name of the engine to move to.
        dtype: by name, such as `"float64"`; unchanged by default.
        device: as the engine names it, such as `"cpu"`, `"cuda:0"`; the engine's
            own default if not given.

    Raises:
        UnknownBackendError, UnavailableBackendError: no such engine.
        EmptyModelError: the model holds no Parameters.
        CapabilityError: the engine does not have the dtype now (JAX without x64).
        ParameterError: an array or native model that is not ours to move, no
            floating dtype, or no such device; nothing was moved.

    >>> from optshare import Dense, params
    >>> layer = to(Dense(2, 3), "functional", dtype="float64")
    >>> [str(p.dtype) for p in params(layer)]
    ['float64', 'float64']
    """
    if dtype is not None and "float" not in dtype:
        raise ParameterError(f"parameters are floating, as in 'float64'; not {dtype!r}")
    registry.load(backend)
    boxes = [*dict.fromkeys(key for _, key in keyed(model))]
    for box in boxes:
        if isinstance(box, Slot) or box.known_as is not box:
            raise ParameterError(
                f"a {_kind(box)} in {type(model).__name__} is not ours to move; "
                f"wrap arrays in Parameter, move a framework's model by its own means"
            )
    boxes += [each for each in buffers(model) if "float" in dtype_name(each.dtype)]
    if not boxes:
        raise EmptyModelError(f"{type(model).__name__} holds no Parameter to move")
    places = [_Place(backend, dtype or dtype_name(box.dtype), device) for box in boxes]
    moved = [_moved(box, place) for box, place in zip(boxes, places, strict=True)]
    for box, array, place in zip(boxes, moved, places, strict=True):
        box.move(array, place, place.host_dtype)
    return model


def _kind(box: Any) -> str:
    return type(box.stored if isinstance(box, Slot) else box.known_as).__name__


def _moved(box: Any, place: _Place) -> Any:
    """A box's array somewhere else, by way of the host; `None` if it has none yet."""
    if not box.built:
        return None
    return place(registry.host_copy(box.stored))


@dataclass(frozen=True)
class _Place:
    """Where arrays are put: called with one of NumPy's, it gives the engine's."""

    backend: str
    dtype: str
    device: Any

    @property
    def host_dtype(self) -> np.dtype[Any]:
        """The dtype on the host, which knows no bfloat16."""
        try:
            return host_dtype(self.dtype)
        except TypeError as error:
            raise ParameterError(
                f"there is no dtype {self.dtype!r}; floating ones are such as 'float32'"
            ) from error

    def __call__(self, host: Any) -> Any:
        target = registry.load(self.backend)
        array = _placed(target, host.astype(self.host_dtype), self.device)
        ops: Any = target.ops
        return ops.astype(array, ops.bfloat16) if self.dtype == "bfloat16" else array


def _placed(target: Backend, host: Any, device: Any) -> Any:
    if device is None:
        return target.ops.asarray(host)
    try:
        return target.ops.asarray(host, device=device)
    except OptshareError:
        raise
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:  # whichever it raises
        raise ParameterError(
            f"backend {target.name!r} cannot put an array on {device!r}: {error}"
        ) from error
