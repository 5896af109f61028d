"""ArrayRule: a rule that sees a whole array, not one element at a time."""

from __future__ import annotations

import math
from typing import Any

from optshare.orientation import Site
from optshare.rules.base import Arrays, Rule

__all__ = ["ArrayRule", "Arrays", "Site", "at_least", "correction", "counted", "norm", "rms"]


class ArrayRule(Rule):
    """A rule that mixes the elements of an array, by a norm, a mean or a product.

    A subclass defines `initial_state` and `array_step` in the functions of `ops`, a namespace
    with the Array API's names: NumPy in host memory, else the engine's own. Both are pure and can
    be traced: there is no `if` on the numbers of an array. The state has the working dtype,
    float32 for parameters in half precision, in which value and gradient are given too.

    >>> import numpy as np
    >>> class Normed(ArrayRule):
    ...     lr: float = 0.1
    ...     def array_step(self, ops, value, gradient, state, t):
    ...         return {}, self.lr * gradient / norm(ops, gradient)
    >>> Normed().array_step(np, np.ones(2), np.array([3.0, 4.0]), {}, 1)[1]
    array([0.06, 0.08])
    """

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """What the state of a parameter begins with, by name; arrays may have any shape."""
        return {}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new state, and the step: what is subtracted from the value.

        Args:
            ops: the functions of the array's namespace.
            value: the parameter's array.
            gradient: its gradient.
            state: the arrays by name.
            t: how many updates this parameter has had, with this one: an int, or an array of
                no dimensions.
        """
        raise NotImplementedError


def counted(ops: Any, t: Any, like: Any) -> Any:
    """The step count as a number, or, where it is traced, in the dtype of another array."""
    return t if isinstance(t, int | float) else ops.astype(t, like.dtype)


def correction(ops: Any, beta: float, t: Any) -> Any:
    """`1 - beta**t`, which is exact enough in float32 where t is an array.

    >>> import numpy as np
    >>> correction(np, 0.5, 2), correction(np, 0.5, np.float32(2))
    (0.75, np.float32(0.75))
    """
    if hasattr(t, "dtype") and beta:
        return -ops.expm1(t * math.log(beta))
    return 1 - beta**t


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
    return ops.maximum(x, ops.full_like(x, least))
