"""One differentiation of the functional engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import Pullback
from optshare_arrays import Scope, Tracked
from optshare_arrays import vjp as _vjp


class Tracer(Tracked):
    """A value inside a differentiation."""

    __slots__ = ()


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which may be called any number of times.

    The pullback takes a cotangent of the value and gives one for each array,
    `None` where there is no path.

    >>> import numpy as np
    >>> value, pullback = vjp(lambda x: x * x, np.array([1., 2.]))
    >>> pullback(np.array([1., 10.]))
    [array([ 2., 40.])]
    """
    return _vjp(Scope(Tracer), fn, *arrays, free=False)
