"""Slots: Parameters around the caller's own arrays, the leaves of plain trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.errors import ParameterError
from optshare.foreign import foreign
from optshare.parameter import Parameter, is_floating


class Slot(Parameter):
    """A Parameter around the caller's own array: one leaf of a plain tree.

    It borrows the array instead of copying it, and an update writes into it.

    >>> array = np.zeros(2)
    >>> Slot(array).value = [1., 2.]
    >>> array
    array([1., 2.])
    """

    __slots__ = ()
    transient = True

    @staticmethod
    def admitted(array: Any, dtype: Any = None) -> Any:
        """The array itself, which must be floating or complex."""
        if isinstance(array, np.generic):
            raise ParameterError(
                f"the number {array} cannot be written into; "
                f"use numpy.asarray({array}), an array without axes"
            )
        if not is_floating(array):
            raise ParameterError(
                f"an array of {array.dtype} cannot be trained; convert it to a floating dtype"
            )
        return array

    @property
    def known_as(self) -> Any:
        """The caller's array."""
        return self.stored

    def outside(self) -> Any:
        """The caller's array."""
        return self.stored

    def store(self, array: Any) -> None:
        """Write a new value that fits into the caller's array."""
        self.stored[...] = self.fitted(array)


class HeldSlot(Slot):
    """A slot of an array that cannot be written: it holds the current one itself.

    Its identity is the place in the tree: one array at two places is two parameters.
    """

    __slots__ = ()

    @property
    def known_as(self) -> Any:
        """The slot."""
        return self

    def store(self, array: Any) -> None:
        """Hold a new value that fits."""
        self.stored = self.fitted(array)


def slot(array: Any) -> Slot:
    """The slot of one array of a plain tree.

    >>> slot(np.zeros(2))
    Slot(array([0., 0.]))
    """
    return HeldSlot(array) if foreign().is_immutable(array) else Slot(array)
