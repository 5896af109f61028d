"""Moving models between engines and dtypes."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from optshare import registry
from optshare.backend import Backend, seam_of
from optshare.errors import EmptyModelError, OptshareError, ParameterError
from optshare.slots import Slot
from optshare.state import dtype_name
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
    target = registry.load(backend)
    boxes = [*dict.fromkeys(key for _, key in keyed(model))]
    if not boxes:
        raise EmptyModelError(f"{type(model).__name__} holds no Parameter to move")
    for box in boxes:
        if isinstance(box, Slot) or box.known_as is not box:
            raise ParameterError(
                f"a {_kind(box)} in {type(model).__name__} is not ours to move; "
                f"wrap arrays in Parameter, move a framework's model by its own means"
            )
    boxes += [each for each in buffers(model) if "float" in dtype_name(each.dtype)]
    moved = [_moved(box, target, dtype or dtype_name(box.dtype), device) for box in boxes]
    for box, array in zip(boxes, moved, strict=True):
        box.migrate(array)
    return model


def _kind(box: Any) -> str:
    return type(box.stored if isinstance(box, Slot) else box.known_as).__name__


def _moved(box: Any, target: Backend, dtype: str, device: Any) -> Any:
    """An array of another engine, by way of the host, which knows no bfloat16."""
    host = seam_of(registry.owner(box.stored)).host_copy(box.stored)
    if dtype == "bfloat16":
        ops: Any = target.ops
        return ops.astype(_placed(target, host.astype(np.float32), device), ops.bfloat16)
    return _placed(target, host.astype(_host_dtype(dtype)), device)


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


def _host_dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError as error:
        raise ParameterError(
            f"there is no dtype {name!r}; floating ones are such as 'float32'"
        ) from error
