"""The weights of a model at rest: by path, in arrays of NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare import overlay
from optshare.backend import seam_of
from optshare.errors import OptshareError, WeightsError
from optshare.foreign import foreign
from optshare.inventory import inventory
from optshare.matching import Arrays, matched
from optshare.narrowing import is_dict
from optshare.parameter import is_array
from optshare.registry import claimants, host_copy, owner
from optshare.slots import HeldSlot, Slot
from optshare.tree import Named


def state_dict(model: Any) -> Arrays:
    """Copies of all that a model has learned, by path: Parameters, frozen ones too, and Buffers.

    A tied Parameter is there once, under its first path. bfloat16 becomes
    float32. Of a framework's own module its buffers are there too.

    Raises:
        EmptyModelError: there is nothing.
        WeightsError: two arrays have one path, or one has no numbers yet.

    >>> from optshare import Chain, Dense
    >>> {path: each.shape for path, each in state_dict(Chain(Dense(2, 3), Dense(3, 1))).items()}
    {'layers.0.weight': (2, 3), 'layers.0.bias': (3,), \
'layers.1.weight': (3, 1), 'layers.1.bias': (1,)}
    """
    return {each.path: _host(each.path, each.key) for each in inventory(model)}


def load_state_dict(model: Any, state: dict[str, Any]) -> None:
    """Give a model the values that `state_dict` gave of one like it.

    Strict: each Parameter and Buffer is there, and nothing else. The model keeps
    its identities, so also the state of optimizers, and its own engine, device
    and dtypes; numbers are cast. A tied Parameter may stand under any of its
    paths, or under several with equal values.

    Args:
        model: what holds the Parameters.
        state: arrays of any engine, by path.

    Raises:
        EmptyModelError: the model holds nothing.
        WeightsError: something is missing, not in the model, of another shape,
            of a dtype or size that the model's cannot hold, or cannot be
            written; nothing was changed.

    >>> from optshare import Dense
    >>> one, other = Dense(2, 3), Dense(2, 3)
    >>> load_state_dict(other, state_dict(one))
    >>> bool((one.weight == other.weight).all())
    True
    >>> load_state_dict(Dense(3, 2), state_dict(one))
    Traceback (most recent call last):
    optshare.errors.WeightsError: the weights do not fit the model, which is unchanged: \
'weight' has shape (2, 3) there, (3, 2) here; 'bias' has shape (3,) there, (2,) here
    """
    if not overlay.writable():
        raise WeightsError("the model is being differentiated; load after the loss has returned")
    if not is_dict(state):
        raise WeightsError(f"the weights are a {type(state).__name__}, not a dict of arrays")
    entries = inventory(model)
    found = matched(entries, {path: _as_numpy(path, each) for path, each in state.items()})
    _require_writable(entries)
    for key, array in found:
        if not key.built:
            key.build(array.shape)
    values = [_on_engine(key.stored, array) for key, array in found]
    for (key, array), value in zip(found, values, strict=True):
        _write(key, array, value)


def _host(path: str, key: Any) -> np.ndarray[Any, Any]:
    """A copy of a box's numbers."""
    if not key.built:
        raise WeightsError(
            f"{path!r} has no numbers yet, its shape is {key.shape}; call build(model, shape) first"
        )
    return _read(path, key.stored)


def _read(path: str, array: Any) -> np.ndarray[Any, Any]:
    """A copy of the numbers of an engine's array."""
    try:
        return host_copy(array)
    except OptshareError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:  # whichever the engine raises
        raise WeightsError(
            f"{path!r}, {type(array).__name__} of {array.dtype}, cannot be read: {error}"
        ) from error


def _as_numpy(path: Any, array: Any) -> np.ndarray[Any, Any]:
    """What was given as an array of NumPy's."""
    if is_array(array) and claimants(array.__class__):
        return _read(path, array)
    try:
        return np.asarray(array)
    except (RuntimeError, TypeError, ValueError, OptshareError) as error:
        raise WeightsError(f"{path!r} is no array there: {error}") from error


def _on_engine(stored: Any, host: Any) -> Any:
    """Numbers as an array of the engine of another one, on its device, of its dtype."""
    array = foreign().converted(host, stored)
    if array.dtype == stored.dtype:
        return array
    ops: Any = owner(stored).ops
    return ops.astype(array, stored.dtype)


def _write(key: Any, host: Any, value: Any) -> None:
    view = _view(key) if isinstance(key, Slot) else None
    if view is None:
        owner(key.stored).update(key, value)
        return
    view[...] = host
    seam_of(owner(key.stored)).written(key.stored)
    key.replaced()


def _view(key: Any) -> Any:
    """The memory of a box as an array of NumPy's, or `None`."""
    return seam_of(owner(key.stored)).host_view(key.stored)


def _require_writable(entries: list[Named]) -> None:
    for path, key, _ in entries:
        if isinstance(key, Slot) and not _is_writable(key):
            raise WeightsError(
                f"the {type(key.stored).__name__} at {path!r} cannot be written; hold it in a "
                f"Parameter, or make the model anew by its framework's own means"
            )


def _is_writable(slot: Slot) -> bool:
    """Whether the caller's own array takes other numbers."""
    if isinstance(slot, HeldSlot):
        return False
    view = _view(slot)
    if view is not None:
        return view.flags.writeable
    try:
        owner(slot.stored).update(slot, slot.stored)  # the numbers that it has
    except (RuntimeError, TypeError, ValueError):  # whichever the engine raises
        return False
    return True
