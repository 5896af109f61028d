"""The tape's face: `back`, and `differentiate` with its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from optshare.extend import (
    EmptyModelError,
    Parameter,
    current_overlay,
    is_array,
    params,
    require_scalar,
)
from optshare_arrays import Scope, checked_seed, own, plain, primitive, settled, turned
from optshare_arrays import checkpoint as _checkpoint
from optshare_arrays import grad as _grad
from optshare_arrays import gradient as _gradient
from optshare_tape.backend import backend, vjp
from optshare_tape.values import ParameterLeaf, Value, require_tracked
from optshare_tape.variable import Recording, Variable, after_hooks, record

__all__ = [
    "Result",
    "back",
    "checkpoint",
    "detach",
    "differentiate",
    "grad",
    "gradient",
    "primitive",
    "value",
    "zero_grad",
]

Function = Callable[..., Any]
Position = int | Sequence[int]

_accumulating = Lock()
"""Held while `.grad` is added to, so that threads may share a Variable."""


class Result:
    """What `differentiate` gives: a value, and the gradient of every Parameter read.

    They are plain arrays, unless it was of higher order. It keeps its numbers,
    whatever is updated afterwards; all that the differentiation allocated hangs
    on it and dies with it.
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
        return float(plain(self.value))

    def __repr__(self) -> str:
        return f"Result({self.value!r})"


def back(y: Any, seed: Any = None, *, higher_order: bool = False) -> None:
    """Run the backward pass of a tracked value, and add to the `.grad` of what it was made of.

    Args:
        y: a value computed from Variables, or from Parameters inside `record()`.
        seed: the cotangent of y, of its shape; 1 by default, where y is a scalar.
        higher_order: record the backward pass too, and free nothing: `.grad` is
            then tracked, and what is computed from it has a `back` of its own.
            Drop it (`zero_grad`) when done: a tracked `.grad` holds its Variable.

    Raises:
        NonScalarLossError: y has axes and no seed was given.
        StaleRecordError: a Parameter was updated since it was read.
        FreedRecordError: an earlier backward pass has freed the record.

    >>> from optshare_tape import Variable
    >>> x = Variable(2.0)
    >>> back(x**3, higher_order=True)
    >>> slope = x.grad
    >>> x.zero_grad()
    >>> back(slope * slope)  # (3 x**2)**2 = 9 x**4
    >>> x.grad
    array(288.)
    """
    gradients = _gradients(require_tracked(y), seed, higher_order)
    with _accumulating:
        for key, new in gradients.items():
            if key.grad is not None:
                gradients[key] = (key.grad if higher_order else plain(key.grad)) + new
        for key, total in gradients.items():
            key.grad = total


def differentiate(f: Function, /, *args: Any, higher_order: bool = False, **kwargs: Any) -> Result:
    """Call a function and differentiate its scalar value for every Parameter that it reads.

    The backward pass is finished when it returns. With `higher_order` the value
    and the gradients are tracked, as all is inside `record()`, so that `back`
    differentiates what is computed from them.

    Raises:
        NonScalarLossError: the value is not a scalar.

    >>> from optshare_tape import Variable
    >>> x = Variable([1., 2.])
    >>> J = differentiate(lambda: (x * x).sum())
    >>> J
    Result(np.float64(5.0))
    >>> gradient(J, x)
    array([2., 4.])
    >>> J = differentiate(lambda: (x**3).sum(), higher_order=True)
    >>> back(gradient(J, x).sum())
    >>> x.grad
    array([ 6., 12.])
    """
    if higher_order and current_overlay() is None:
        with record():
            return _differentiate(f, args, kwargs)
    return _differentiate(f, args, kwargs)


def _differentiate(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
    scope = Scope(Value)
    with Recording(scope) as here:
        try:
            output = f(*args, **kwargs)
        finally:
            scope.closed = True
        if not scope.owns(output):
            require_scalar(output)
            constant = here.detach(output)
            return Result(constant.copy() if is_array(constant) else constant, {})
        found = _gradients(output, None, higher_order=False)
        gradients = {key: here.detach(each) for key, each in found.items()}
        return Result(
            here.detach(settled(output.value, [key.stored for key in gradients])), gradients
        )


def _gradients(output: Value, seed: Any, higher_order: bool) -> dict[Parameter, Any]:
    """The gradient of each Parameter, from all its leaves, after its hooks."""
    if seed is None:
        require_scalar(output)
        seed = 1
    seed = checked_seed(seed, output.value)
    totals: dict[Parameter, Any] = {}
    pulled = output.scope.pull(output, seed, free=not higher_order, again=higher_order)
    for leaf, gradient in pulled.items():
        if isinstance(leaf, ParameterLeaf):
            before = totals.get(leaf.key)
            totals[leaf.key] = gradient if before is None else before + gradient
    for key, total in totals.items():
        if isinstance(key, Variable) and key.hooks is not None:
            totals[key] = turned(after_hooks(key, turned(total)))
    owned = own(totals.values(), [key.stored for key in totals], seed)
    return dict(zip(totals, owned, strict=True))


def zero_grad(*models: Any) -> None:
    """Forget the `.grad` of Variables and Parameters, and of all in models.

    Raises:
        EmptyModelError: one of them holds no parameters.

    >>> from optshare_tape import Variable
    >>> x = Variable([1., 2.])
    >>> back((x * x).sum())
    >>> zero_grad({"x": x})
    >>> x.grad is None
    True
    """
    found = [(model, params(model)) for model in models]
    for model, keys in found:
        if not keys or any(isinstance(key, Parameter) and key.transient for key in keys):
            raise EmptyModelError(
                f"zero_grad takes models, Variables and Parameters; "
                f"this {type(model).__name__} holds no parameters"
            )
    for _, keys in found:
        for key in keys:
            key.grad = None


def detach(y: Any) -> Any:
    """The array of a tracked value, a Variable or a Parameter as a constant: a copy.

    `value(y)` is the live array without a copy. Anything else is itself.

    >>> from optshare_tape import Variable
    >>> x = Variable([1., 2.])
    >>> back((detach(x) * x).sum())
    >>> x.grad
    array([1., 2.])
    """
    array = plain(y.value) if isinstance(y, Parameter) else plain(y)
    return array if array is y else array.copy()


def value(y: Any) -> Any:
    """The plain array of a tracked value or a Variable, the value of a Result.

    Anything else is itself.

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


def grad(
    f: Function,
    argnum: Position | None = None,
    *,
    argnums: Position | None = None,
    has_aux: bool = False,
) -> Function:
    """A function that gives the gradient of f, which returns a scalar. It nests to any order.

    Args:
        f: a function of arrays, numbers, and dicts, lists, tuples and dataclasses
            of them, in whose structure the gradient is; or a model.
        argnum: the position of the argument to differentiate for, or several; -1
            is the last. By default the first or, if f is an object that holds
            Parameters, these: the gradient is parallel to `params(f)`.
        argnums: another name of `argnum`.
        has_aux: f returns `(value, aux)`; then the result is `(gradient, aux)`,
            and nothing in aux is tracked by this differentiation.

    >>> grad(lambda x: x**3)(2.0)
    array(12.)
    """
    return _grad(backend, f, argnum, argnums, has_aux)


def checkpoint(f: Function, *args: Any) -> Any:
    """f(*args), whose intermediate values are computed again in the backward pass, not kept.

    >>> gradient(lambda x: checkpoint(lambda y: y**3, x), 2.0)
    (array(12.),)
    """
    return _checkpoint(vjp, f)(*args)
