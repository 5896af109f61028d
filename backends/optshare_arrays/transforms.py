"""`grad` and its kin, from any backend's `gradient`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from optshare.extend import BaseBackend, Selection

Function = Callable[..., Any]


def value_and_grad(
    backend: BaseBackend, f: Function, argnum: int | tuple[int, ...] = 0
) -> Function:
    """A function that gives the value of f and its gradient for one argument, or several."""

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        selection = Selection(args, argnum)
        value, found = backend.gradient(lambda: f(*selection.arguments(), **kwargs), selection.keys)
        gradients = selection.result(found)
        if isinstance(argnum, tuple):
            return value, tuple(gradients[each] for each in argnum)
        return value, gradients[argnum]

    return call


def grad(backend: BaseBackend, f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """A function that gives the gradient of f for one argument, or several."""
    both = value_and_grad(backend, f, argnum)

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return call


def gradient(backend: BaseBackend, f: Function, *args: Any) -> tuple[Any, ...]:
    """The gradient of f for each argument."""
    return grad(backend, f, tuple(range(len(args))))(*args)
