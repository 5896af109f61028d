"""Moving models between engines, dtypes and devices."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from optshare import registry
from optshare.backend import Backend
from optshare.errors import EmptyModelError
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

    >>> from optshare import Dense, params
    >>> layer = to(Dense(2, 3), "functional", dtype="float64")
    >>> [str(p.dtype) for p in params(layer)]
    ['float64', 'float64']
    """
    target = registry.load(backend)
    boxes = [*dict.fromkeys(key for _, key in keyed(model))]
    if not boxes:
        raise EmptyModelError(f"{type(model).__name__} holds no Parameter to move")
    for box in [*boxes, *(each for each in buffers(model) if "float" in dtype_name(each.dtype))]:
        box.migrate(_moved(box.stored, target, dtype))
    return model


def _moved(array: Any, target: Backend, dtype: str | None) -> Any:
    host = np.asarray(array)
    return target.ops.asarray(np.array(host, dtype or host.dtype))
