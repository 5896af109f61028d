"""JAX as a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from optshare.extend import (
    Addressing,
    BaseBackend,
    Buffer,
    Fans,
    HeldSlot,
    Namespace,
    Part,
    Pullback,
    is_array,
    is_floating,
)
from optshare_jax import device, differentiation, functions, memory, modules, orientation
from optshare_jax.compiling import Compiling
from optshare_jax.differentiation import Reading
from optshare_jax.library import jax
from optshare_jax.tracing import refuse_staging

HOST_DTYPES = frozenset(map(np.dtype, ("float16", "float32", "float64")))
"""What NumPy computes with; bfloat16 takes the functions of JAX."""


class JaxBackend(BaseBackend):
    """Forwards to JAX; arrays are immutable, and steps are compiled."""

    name = "jax"
    ops: Namespace = functions.ops

    def params(self, model: Any) -> list[tuple[str, Any]]:
        """The parameters of a Flax module, an Equinox module, or a shared model."""
        pairs = modules.pairs_of(model)
        if pairs is None and _is_registered(model):
            pairs = [(path, HeldSlot(leaf)) for path, leaf in _leaves(model) if is_floating(leaf)]
        return super().params(model) if pairs is None else pairs

    def buffers(self, model: Any) -> list[tuple[str, Any]]:
        """What a Flax or Equinox module holds beside its parameters."""
        if modules.is_module(model):
            return modules.buffers_of(model)
        pairs = _leaves(model) if _is_registered(model) else []
        others = [(path, leaf) for path, leaf in pairs if is_array(leaf) and not is_floating(leaf)]
        return [(path, Buffer(leaf)) for path, leaf in others]

    def fans(self, model: Any) -> dict[str, Fans]:
        """The axes of the weights of a Flax or Equinox module."""
        return orientation.fans_of(model)

    def rebuilt(self, tree: Any, values: dict[str, Any], *, keep: bool = True) -> Any:
        """The module with other arrays at some paths."""
        leaves = [values.get(path, leaf if keep else None) for path, leaf in _leaves(tree)]
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(tree), leaves)

    def gradient(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The value of `fn(*args)`, and its gradient for each key, native or shared."""
        return differentiation.gradient(fn, keys, *args)

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback."""
        return differentiation.vjp(fn, *arrays)

    def compiled(self) -> Callable[..., tuple[Any, list[Any]]]:
        """A `gradient` by way of compiled programs."""
        return Compiling(Reading.differentiated, recording=True)

    def update(self, key: Any, new_value: Any) -> None:
        """Let a key hold a new array; nobody can write it, so it is not copied."""
        key.take(new_value)

    def outside(self, array: Any) -> Any:
        """The array; in a function that JAX compiles it would become a constant."""
        refuse_staging("a Parameter was read")
        return array

    def host_view(self, array: Any) -> np.ndarray[Any, Any] | None:
        """The memory of an array on the first CPU device, read-only."""
        if not isinstance(array, jax.Array):
            return super().host_view(array)
        fits = array.dtype in HOST_DTYPES and array.devices() == memory.cpu()
        return np.asarray(array) if fits else None

    def device_view(self, array: Any) -> Any:
        """The memory of an array on a CUDA device as an array of CuPy's, not to be written."""
        return device.view(array) if isinstance(array, jax.Array) else super().device_view(array)

    def device_stream(self, array: Any) -> AbstractContextManager[Any]:
        """A `with` in which CuPy waits for JAX, and which waits for CuPy."""
        return device.stream(array)

    def adopt(self, view: Any) -> Any:
        """An array over memory, of NumPy's or CuPy's, that nobody writes any more.

        JAX waits for what CuPy's current stream still has to do there.
        """
        return memory.adopted(view)

    def adopt_parts(self, view: np.ndarray[Any, Any], parts: Sequence[Part]) -> list[Any]:
        """Arrays of the parts; a program cuts many of them out of the adopted whole."""
        return memory.parted(view, parts)

    def any_deleted(self, arrays: Sequence[Any]) -> bool:
        """Whether one of the arrays was donated, or deleted."""
        return memory.any_deleted(arrays)

    def addressing(self, arrays: Sequence[Any]) -> Addressing | None:
        """How to find the memory of arrays on the first CPU device; `None` of NumPy's."""
        return memory.addressing(arrays)


def _is_registered(model: Any) -> bool:
    """Whether JAX takes an object apart, one that is no plain container."""
    if isinstance(model, list | tuple | dict) or model is None:
        return False
    return not jax.tree_util.all_leaves([model])


def _leaves(tree: Any) -> list[tuple[str, Any]]:
    """The leaves by path: `layers.0.weight`."""
    found = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in found]


backend = JaxBackend()
