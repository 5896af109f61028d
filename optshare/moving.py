"""Moving models between engines and dtypes."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from optshare import registry
from optshare.backend import Backend
from optshare.errors import EmptyModelError, ParameterError
from optshare.state import dtype_name
from optshare.tree import buffers, keyed

M = TypeVar("M")


def to(model: M, backend: str, *, dtype: str | None = None) -> M:
    """Give every Parameter of a model an array of another engine, in place; gives the model.

    Identities, ties and the state of optimizers are kept, so training goes on
    where it was. Buffers of floating numbers move too; counters stay on the host.

    Args:
        model: any object that holds Parameters.
        backend: the name of the engine to move to.
        dtype: by name, such as `"float64"`; unchanged by default.

    Raises:
        UnknownBackendError, UnavailableBackendError: no such engine.
        EmptyModelError: the model holds no Parameters.
        ParameterError: an array or native model that is not ours to move, or no
            floating dtype; nothing was moved.

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
        if box.known_as is not box:
            raise ParameterError(
                f"a {type(box.known_as).__name__} in {type(model).__name__} is not ours to move; "
                f"wrap arrays in Parameter, move a framework's model by its own means"
            )
    boxes += [each for each in buffers(model) if "float" in dtype_name(each.dtype)]
    moved = [_moved(box.stored, target, dtype or dtype_name(box.dtype)) for box in boxes]
    for box, array in zip(boxes, moved, strict=True):
        box.migrate(array)
    return model


def _moved(array: Any, target: Backend, dtype: str) -> Any:
    """An array of another engine, by way of the host, which knows no bfloat16."""
    if dtype_name(array.dtype) == "bfloat16":
        source: Any = registry.owner(array).ops
        array = source.astype(array, source.float32)
    if dtype == "bfloat16":
        ops: Any = target.ops
        return ops.astype(ops.asarray(np.array(np.asarray(array), np.float32)), ops.bfloat16)
    return target.ops.asarray(np.array(np.asarray(array), _host_dtype(dtype)))


def _host_dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError as error:
        raise ParameterError(
            f"there is no dtype {name!r}; floating ones are such as 'float32'"
        ) from error
