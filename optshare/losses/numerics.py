"""Functions whose values and gradients stay finite where the mathematics is, also at 0."""

from __future__ import annotations

from typing import Any

from optshare.namespace.protocol import Namespace


def xlogy(ops: Namespace, x: Any, y: Any) -> Any:
    """x * log(y), and 0 where both are 0, as `scipy.special.xlogy`."""
    nothing = (x == 0) & (y == 0)
    return x * ops.log(ops.where(nothing, 1.0, y))


def xlog1py(ops: Namespace, x: Any, y: Any) -> Any:
    """x * log(1 + y), and 0 where x and 1 + y are 0, as `scipy.special.xlog1py`."""
    nothing = (x == 0) & (y == -1)
    return x * ops.log1p(ops.where(nothing, 0.0, y))


def power(ops: Namespace, x: Any, exponent: float) -> Any:
    """x ** exponent of x from 0 on; at 0 its gradient is 0, also where it is a kink."""
    if exponent == 0:
        return ops.ones_like(x)
    zero = x == 0
    return ops.where(zero, 0.0, ops.where(zero, 1.0, x) ** exponent)


def root(ops: Namespace, x: Any) -> Any:
    """The square root; its gradient at 0 is 0."""
    zero = x == 0
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, x)))


def quotient(ops: Namespace, x: Any, y: Any) -> Any:
    """x / y, and 1 where y is 0."""
    zero = y == 0
    return ops.where(zero, 1.0, x / ops.where(zero, 1.0, y))
