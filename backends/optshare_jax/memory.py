"""The memory of arrays on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np

from optshare.extend import Addressing, Part
from optshare_jax.library import dlpack, jax

Integers = np.ndarray[Any, np.dtype[np.int64]]

FEW = 16
"""Fewer parts than this are adopted one by one: nothing is compiled for them."""
MANY = 1024
"""The most parts that one program cuts; the time to compile one grows faster than they do."""
QUICK = {"xla_backend_optimization_level": "0"}
"""For programs that only copy: compiled in half the time, and no slower."""

_shape, _dtype, _sharding = attrgetter("shape"), attrgetter("dtype"), attrgetter("sharding")
_order = attrgetter("format.layout.major_to_minor")
_is_deleted, _address = methodcaller("is_deleted"), methodcaller("unsafe_buffer_pointer")


@cache
def cpu() -> set[Any]:
    """The one device whose memory NumPy sees."""
    return {jax.local_devices(backend="cpu")[0]}


def addressing(arrays: Sequence[Any]) -> Addressing | None:
    """How to find the memory of arrays that are like some arrays with a `host_view`."""
    kinds = set(map(type, arrays))
    if not all(issubclass(kind, jax.Array) for kind in kinds):
        return None
    shapes, dtypes = list(map(_shape, arrays)), list(map(_dtype, arrays))
    orders = {shape: tuple(range(len(shape))) for shape in shapes if len(shape) > 1}

    def full(others: Sequence[Any]) -> Integers | None:
        alike = (
            kinds.issuperset(map(type, others))
            and list(map(_shape, others)) == shapes
            and list(map(_dtype, others)) == dtypes
            and not any_deleted(others)
            and _are_here(others)
            and all(_order(each) == orders[each.shape] for each in others if each.ndim > 1)
        )
        return again(others) if alike else None

    return Addressing(full, again)


def again(arrays: Sequence[Any]) -> Integers:
    """The address of each array, when it has been computed."""
    jax.block_until_ready(arrays)
    return np.fromiter(map(_address, arrays), np.int64, len(arrays))


def any_deleted(arrays: Sequence[Any]) -> bool:
    """Whether one of the arrays was donated to a function, or deleted."""
    return any(map(_is_deleted, arrays))


def _are_here(arrays: Sequence[Any]) -> bool:
    shardings = {id(each): each for each in map(_sharding, arrays)}
    return all(each.device_set == cpu() for each in shardings.values())


def adopted(view: Any) -> Any:
    """An array over memory, of NumPy's or CuPy's, that nobody writes any more.

    JAX waits for what CuPy's current stream still has to do there.
    """
    return dlpack.from_dlpack(view)


def parted(view: Any, parts: Sequence[Part]) -> list[Any]:
    """The parts of a flat array that nobody writes any more, as arrays."""
    if len(parts) < FEW:
        return [adopted(part.cut(view)) for part in parts]
    whole, found = adopted(view), list[Any]()
    for first in range(0, len(parts), MANY):
        cutting = _cutting(whole.shape, whole.dtype, tuple(parts[first : first + MANY]))
        found += cutting(whole)
    return found


@lru_cache(64)
def _cutting(shape: Any, dtype: Any, parts: tuple[Part, ...]) -> Callable[[Any], list[Any]]:
    """A compiled program that copies parts out of a flat array on the CPU.

    It is compiled here, so that no setting of JAX's, and no trace that is going on, matters.
    """
    [device] = cpu()
    place = jax.sharding.SingleDeviceSharding(device)
    whole = jax.ShapeDtypeStruct(shape, dtype, sharding=place)

    def cut(flat: Any) -> list[Any]:
        return [part.cut(flat) for part in parts]

    return jax.jit(cut, compiler_options=QUICK).lower(whole).compile()
