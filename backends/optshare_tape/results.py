"""The tape's face: `back`, and `differentiate` with its results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import Parameter, require_scalar
from optshare_arrays import Scope, checked_seed, own, plain, settled
from optshare_arrays import checkpoint as _checkpoint
from optshare_arrays import grad as _grad
from optshare_arrays import gradient as _gradient
from optshare_tape.backend import backend, vjp
from optshare_tape.values import ParameterLeaf, Value, require_tracked
from optshare_tape.variable import Recording

Function = Callable[..., Any]


class Result:
    """What `differentiate` gives: a plain value, and the gradient of every Parameter read.

    It keeps its numbers, whatever is updated afterwards; all that the
    differentiation allocated hangs on it and dies with it.
    """

    __slots__ = ("_gradients", "value")

    def __init__(self, value: Any, gradients: dict[Parameter, Any]) -> None:
        self.value = value
        self._gradients = gradients

    def gradient(self, parameter: Parameter) -> Any:
        """The gradient of a Parameter; `None` where the value does not depend on it."""
        if not isinstance(parameter, Parameter):  # pyright: ignore[reportUnnecessaryIsInstance] # of a user
            raise TypeError(
                f"a Result has the gradient of each Parameter, not of a {type(parameter).__name__}"
            )
        return self._gradients.get(parameter)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"Result({self.value!r})"


def back(y: Any, seed: Any = None) -> None:
    """Run the backward pass of a tracked value, and add to the `.grad` of what it was made of.

    Args:
        y: a value computed from Variables, or from Parameters inside `record()`.
        seed: the cotangent of y, of its shape; 1 by default, where y is a scalar.

    Raises:
        NonScalarLossError: y has axes and no seed was given.
        StaleRecordError: a Parameter was updated since it was read.
        FreedRecordError: an earlier backward pass has freed the record.
    """
    output = require_tracked(y)
    gradients = _gradients(output, seed)
    for key, gradient in gradients.items():
        key.grad = gradient if key.grad is None else key.grad + gradient


def differentiate(f: Function, /, *args: Any, **kwargs: Any) -> Result:
    """Call a function and differentiate its scalar value for every Parameter that it reads.

    The backward pass is finished when it returns.

    >>> from optshare_tape import Variable
    >>> x = Variable([1., 2.])
    >>> J = differentiate(lambda: (x * x).sum())
    >>> J
    Result(np.float64(5.0))
    >>> gradient(J, x)
    array([2., 4.])
    """
    scope = Scope(Value)
    with Recording(scope) as here:
        try:
            output = f(*args, **kwargs)
        finally:
            scope.closed = True
        if not scope.owns(output):
            require_scalar(output)
            return Result(here.detach(output), {})
        gradients = {key: here.detach(each) for key, each in _gradients(output, None).items()}
        return Result(
            here.detach(settled(output.value, [key.stored for key in gradients])), gradients
        )


def _gradients(output: Value, seed: Any) -> dict[Parameter, Any]:
    """The gradient of each Parameter, from all its leaves."""
    if seed is None:
        require_scalar(output)
        seed = 1
    seed = checked_seed(seed, output.value)
    totals: dict[Parameter, Any] = {}
    for leaf, gradient in output.scope.pull(output, seed, free=True).items():
        if isinstance(leaf, ParameterLeaf):
            before = totals.get(leaf.key)
            totals[leaf.key] = gradient if before is None else before + gradient
    owned = own(list(totals.values()), [key.stored for key in totals], seed)
    return dict(zip(totals, owned, strict=True))


def value(y: Any) -> Any:
    """The plain array of a tracked value, a Variable or a Result; anything else is itself.

    >>> value(3.0)
    3.0
    """
    if isinstance(y, Result):
        return y.value
    return y.stored if isinstance(y, Parameter) else plain(y)


def gradient(f: Any, *args: Any) -> Any:
    """Of a Result, the gradient for a Parameter; of a function, that for each argument.

    >>> gradient(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
    (array([4., 5., 6.]), array([1., 2., 3.]))
    """
    return f.gradient(*args) if isinstance(f, Result) else _gradient(backend, f, *args)


def grad(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """A function that gives the gradient of f for one argument, or for several.

    >>> grad(lambda x: x**3)(2.0)
    array(12.)
    """
    return _grad(backend, f, argnum)


def checkpoint(f: Function, *args: Any) -> Any:
    """f(*args), whose intermediate values are computed again in the backward pass, not kept.

    >>> gradient(lambda x: checkpoint(lambda y: y**3, x), 2.0)
    (array(12.),)
    """
    return _checkpoint(vjp, f)(*args)
