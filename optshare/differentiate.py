"""Gradients on any backend: the user's face of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from optshare import registry
from optshare.backend import Backend
from optshare.narrowing import is_structure, members
from optshare.overlay import Overlay
from optshare.parameter import Box, is_array
from optshare.selection import Selection


def value_and_gradient(fn: Callable[..., Any], *args: Any, wrt: Any = None) -> tuple[Any, Any]:
    """The value of `fn(*args)` and its gradient, value first; see `gradient`.

    >>> value_and_gradient(lambda x: x * x, 3.0)
    (np.float64(9.0), (array(6.),))
    """
    selection = Selection(args, wrt)
    selection.build(fn)
    backend = backend_for(selection.keys, args)

    def call(*_: Any) -> Any:
        return fn(*selection.arguments())

    value, gradients = backend.gradient(call, selection.keys, *args)
    return value, selection.result(gradients)


def gradient(fn: Callable[..., Any], *args: Any, wrt: Any = None) -> Any:
    """The gradient of a function that returns a scalar.

    Args:
        fn: called once as `fn(*args)`, by the backend that claims the arrays.
        args: anything; Python numbers and integer arrays that are
            differentiated become floats.
        wrt: what to differentiate for: a model, a Parameter, an argument
            position, or a tuple of these; by default every argument.

    Returns:
        A tuple parallel to the arguments or, with `wrt`, `Gradients`. `None`
        stands where no path leads to the value.

    Raises:
        NonScalarLossError: the value is not a scalar.
        UnclaimedArrayError, MixedBackendsError: no backend owns all the arrays.
        UnreachedParametersError: the function read none of the parameters.

    >>> gradient(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
    (array([4., 5., 6.]), array([1., 2., 3.]))
    """
    return value_and_gradient(fn, *args, wrt=wrt)[1]


def record() -> Overlay:
    """A `with` in which Parameters are tracked, so that a backward pass can fill `.grad`.

    >>> import optshare, optshare_tape
    >>> p = optshare.Parameter([1., 2.])
    >>> with optshare.record():
    ...     y = (p * p).sum()
    >>> optshare_tape.back(y)
    >>> p.grad
    array([2., 4.])
    """
    backend: Any = registry.recorder()
    return backend.record()


def backend_for(keys: Sequence[Any], args: Sequence[Any]) -> Backend:
    """The backend that claims the keys' arrays and those among the arguments."""
    kinds: list[type] = [type(key.stored) for key in keys]
    return registry.resolve(dict.fromkeys([*kinds, *_kinds(args)]))


def _kinds(args: Sequence[Any]) -> Iterator[type]:
    for each in args:
        if is_structure(each):
            yield from _kinds(members(each))
        elif not isinstance(each, Box) and is_array(each):
            yield type(each)
