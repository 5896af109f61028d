"""The arguments of one call, taken apart: what is an input of a program, and what belongs to it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from optshare.extend import Box
from optshare_jax import modules
from optshare_jax.library import jax
from optshare_jax.signatures import Signature


class Arguments:
    """The arguments of one call: arrays and numbers as inputs, everything else as it is."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        leaves, self._structure = jax.tree_util.tree_flatten(args, is_leaf=_is_opaque)
        self._is_input = [_is_input(each) for each in leaves]
        pairs = list(zip(leaves, self._is_input, strict=True))
        self.inputs = [each for each, is_input in pairs if is_input]
        self._fixed = [each for each, is_input in pairs if not is_input]
        self._signatures = [Signature(each) for each in self._fixed]
        kinds = tuple(kinds_of(self.inputs))
        self.fixed: Hashable = tuple(each.key for each in self._signatures)
        self.key: Hashable = self._structure, tuple(self._is_input), kinds, self.fixed

    @property
    def held(self) -> list[Any]:
        """The objects that the key knows by their ids."""
        return [thing for each in self._signatures for thing in each.held]

    def fill(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with other arrays."""
        arrays, fixed = iter(inputs), iter(self._fixed)
        leaves = [next(arrays) if each else next(fixed) for each in self._is_input]
        return jax.tree_util.tree_unflatten(self._structure, leaves)


def kinds_of(arrays: Sequence[Any]) -> list[Any]:
    """The shape and dtype of each."""
    return [jax.typeof(each) for each in arrays]


def _is_opaque(thing: Any) -> bool:
    return isinstance(thing, Box) or modules.is_module(thing)


def _is_input(thing: Any) -> bool:
    if isinstance(thing, jax.Array | np.ndarray | np.number):
        return True
    return isinstance(thing, int | float | complex) and not isinstance(thing, bool)
