"""Rules that see the whole array: norms, means, products of matrices."""

from __future__ import annotations

import math
from typing import Any

from optshare.kernels.mathematics import Piece
from optshare.orientation import Site
from optshare.rules.base import Arrays, Rule


class ArrayRule(Rule):
    """An update that is not element-wise: `(state, value, gradient) -> (state, step)`.

    A subclass annotates its hyperparameters with their defaults and defines
    `initial_state` and `array_step`, in the functions of the Array API standard.

    >>> class Normalised(ArrayRule):
    ...     lr: float = 0.1
    ...     def array_step(self, ops, value, gradient, state, t):
    ...         return {}, self.lr * gradient / ops.sqrt(ops.sum(gradient**2))
    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.0, 2.0])
    >>> optshare.Optimizer([w], Normalised()).update([np.array([3.0, 4.0])])
    >>> w
    Parameter(array([0.94, 1.92]))
    """

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """The state before the first step: arrays of any shape, and the numbers.

        Args:
            ops: the array functions of the memory that the parameter is in.
            value: the parameter's array, in the dtype of the state.
            site: where the parameter stands.
        """
        return {}

    def begin(self, ops: Any, value: Any, dtype: Any, site: Any) -> Arrays:
        """The state before the first step."""
        worked = value if value.dtype == dtype else ops.astype(value, dtype)
        return self.initial_state(ops, worked, site)

    def split(self) -> list[Piece]:
        """The rule, by itself."""
        return [Piece(self, elementwise=False)]

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new state, and the step: what is subtracted from the value.

        Args:
            ops: the array functions: NumPy, or an engine's own.
            value: the parameter's array, in the dtype of the state.
            gradient: its gradient, in the dtype of the state.
            state: what `initial_state` or the last step gave.
            t: how many updates this parameter has had, with this one.

        Pure: it gives new arrays, and asks no array whether it is true.
        """
        raise NotImplementedError


def counted(ops: Any, t: Any, like: Any) -> Any:
    """The step count as a number, or, where it is traced, in the dtype of another array."""
    return ops.astype(t, like.dtype) if hasattr(t, "dtype") else t


def correction(ops: Any, beta: Any, t: Any) -> Any:
    """`1 - beta**t`; exact in single precision too, where t is an array.

    >>> import numpy as np
    >>> correction(np, 0.5, 2), float(correction(np, 0.5, np.asarray(2.0)))
    (0.75, 0.75)
    """
    if not hasattr(t, "dtype") or (isinstance(beta, int | float) and not beta):
        return 1 - beta**t
    return -ops.expm1(t * (math.log(beta) if isinstance(beta, int | float) else ops.log(beta)))


def norm(ops: Any, x: Any) -> Any:
    """The root of the sum of squares of all elements, an array of no dimensions."""
    return ops.sqrt(ops.sum(x * x))


def rms(ops: Any, x: Any) -> Any:
    """The root of the mean square of all elements; there must be some."""
    return ops.sqrt(ops.mean(x * x))


def at_least(ops: Any, x: Any, least: float) -> Any:
    """x, or a number where that is larger.

    >>> import numpy as np
    >>> at_least(np, np.array([1.0, 3.0]), 2.0)
    array([2., 3.])
    """
    return ops.maximum(x, ops.zeros_like(x) + least)
