"""The functional engine's face: `grad` and everything made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from optshare.extend import DifferentiationError, Pullback
from optshare_arrays import Chosen, ops, positions, primitive
from optshare_arrays import checkpoint as _checkpoint
from optshare_arrays import custom_vjp as _custom_vjp
from optshare_arrays import grad as _grad
from optshare_arrays import gradient as _gradient
from optshare_arrays import value_and_grad as _value_and_grad
from optshare_functional import trace
from optshare_functional.backend import backend
from optshare_functional.linearized import Linearized, linearized

__all__ = [
    "checkpoint",
    "custom_vjp",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "primitive",
    "value_and_grad",
    "vjp",
]

Function = Callable[..., Any]
Position = int | Sequence[int]


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

    Raises:
        NonScalarLossError: the value is not a scalar.
        UnregisteredParameterError: an argument that the call does not have.

    >>> grad(lambda x: x**3)(2.0)
    array(12.)
    >>> grad(grad(lambda x: x**3))(2.0)
    array(12.)
    >>> grad(lambda x, y: (x * y, x + y), argnums=(0, 1), has_aux=True)(2.0, 3.0)
    ((array(3.), array(2.)), np.float64(5.0))
    """
    return _grad(backend, f, argnum, argnums, has_aux)


def value_and_grad(
    f: Function,
    argnum: Position | None = None,
    *,
    argnums: Position | None = None,
    has_aux: bool = False,
) -> Function:
    """A function that gives the value of f and its gradient, value first; see `grad`.

    With `has_aux` it gives `((value, aux), gradient)`.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (np.float64(9.0), array(6.))
    """
    return _value_and_grad(backend, f, argnum, argnums, has_aux)


def gradient(f: Function, *args: Any) -> tuple[Any, ...]:
    """The gradient of f for each argument.

    >>> gradient(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
    (array([4., 5., 6.]), array([1., 2., 3.]))
    """
    return _gradient(backend, f, *args)


def vjp(f: Function, *args: Any, has_aux: bool = False) -> Any:
    """The value of f and its pullback, from a cotangent of the value to those of the arguments.

    Arguments and value may be structures (see `grad`); cotangents have the same.
    Where there is no path, a cotangent is `None`. With `has_aux`, f returns
    `(value, aux)` and the result is `(value, pullback, aux)`.

    >>> value, pullback = vjp(lambda x: x * x, [1., 2.])
    >>> pullback([1., 10.])
    [array([ 2., 40.])]
    """
    chosen = Chosen(f, args, range(len(args)))
    at = linearized(f, chosen, {}, has_aux)
    return at.beside(at.value, _pullback(chosen, at))


def _pullback(chosen: Chosen, at: Linearized) -> Pullback:
    def pullback(cotangent: Any) -> Sequence[Any]:
        return list(chosen.result(at.pullback(at.layout.joined(cotangent))))

    return pullback


def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
    """The value of f and its derivative along tangents, which have the structure of the arguments.

    The pullback is linear in the cotangent; its own transpose is the derivative. That of a
    function of complex arrays is linear over the reals.
    With `has_aux`, f returns `(value, aux)` and the result is `(value, tangent, aux)`.

    >>> jvp(lambda x, y: x * y, [3., 4.], [1., 0.])
    (np.float64(12.0), array(4.))
    """
    chosen = Chosen(f, args, range(len(args)))
    along = [ops.asarray(each) for each in chosen.places(tuple(tangents))]
    shapes = [key.shape for key in chosen.keys], [tuple(each.shape) for each in along]
    if shapes[0] != shapes[1]:
        raise DifferentiationError(f"arguments of shapes {shapes[0]}, tangents of {shapes[1]}")
    for key, tangent in zip(chosen.keys, along, strict=True):
        if tangent.dtype.kind == "c" and key.dtype.kind != "c":
            raise DifferentiationError(f"an argument of {key.dtype}, a tangent of {tangent.dtype}")
    at = linearized(f, chosen, {}, has_aux)

    def paired(cotangent: Any) -> Any:
        pulled = at.pullback(cotangent)
        total = 0.0 * ops.sum(ops.real(cotangent))
        for each, tangent in zip(pulled, along, strict=True):
            if each is not None:
                total = total + ops.sum(ops.real(ops.conj(each) * tangent))
        return total

    _, transpose = trace.vjp(paired, ops.zeros_like(at.whole))
    return at.beside(at.value, at.layout.split(transpose(1.0)[0]))


def jacobian(
    f: Function,
    argnum: Position | None = None,
    *,
    argnums: Position | None = None,
    has_aux: bool = False,
) -> Function:
    """A function that gives all partial derivatives of f for one argument, or for several.

    The result has the shape of the value followed by the shape of the argument.
    If the value is a structure, each of its arrays is replaced by what would be
    its Jacobian, in the structure of the argument. See `grad` for the options.

    Raises:
        DifferentiationError: the argument is complex; there is no array of partial
            derivatives then, but a `jvp`.

    >>> jacobian(lambda x: x * x)([1., 2.])
    array([[2., 0.], [0., 4.]])
    """
    places = _first_or(positions(argnum, argnums))

    @wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(f, args, places)
        at = linearized(f, chosen, kwargs, has_aux)
        rows = _rows(at)

        def block(shape: tuple[int, ...], part: slice) -> Any:
            return chosen.result([ops.reshape(each[part], shape + each.shape[1:]) for each in rows])

        return at.beside(at.layout.filled(map(block, at.layout.shapes, at.layout.ranges)))

    return call


def _first_or(places: Position | None) -> Position:
    return 0 if places is None else places


def _rows(at: Linearized) -> list[Any]:
    """For each key, the derivatives of all elements of the value, one after the other."""
    if not at.whole.size:
        return [np.zeros_like(each, shape=(0, *each.shape)) for each in at.inputs]
    _require_real([each.dtype for each in at.inputs])
    basis = np.eye(at.whole.size, dtype=at.whole.dtype)
    pulled = [_partial(at, ops.reshape(each, at.whole.shape)) for each in basis]
    return [ops.stack(each) for each in zip(*pulled, strict=True)]


def _partial(at: Linearized, unit: Any) -> list[Any]:
    """The derivatives of one element of the value, by its real and its imaginary part."""
    found = at.pulled(unit)
    if unit.dtype.kind != "c":
        return found
    return [x + 1j * y for x, y in zip(found, at.pulled(1j * unit), strict=True)]


def _require_real(dtypes: Sequence[Any]) -> None:
    for each in dtypes:
        if each.kind == "c":
            raise DifferentiationError(
                f"partial derivatives for an argument of {each}; use jvp or vjp, or "
                f"differentiate for its real and imaginary parts"
            )


def hessian(
    f: Function,
    argnum: Position | None = None,
    *,
    argnums: Position | None = None,
    has_aux: bool = False,
) -> Function:
    """A function that gives the second derivatives of a scalar f for one argument, or several.

    For structures it is the Jacobian of the gradient. See `grad` for the options.

    >>> hessian(lambda x: (x**3).sum())([1., 2.])
    array([[ 6.,  0.], [ 0., 12.]])
    """
    places = _first_or(positions(argnum, argnums))
    return jacobian(_grad(backend, f, places, None, has_aux, zeros=True), places, has_aux=has_aux)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """The Hessian of a scalar f at x, times v in the structure of x, without forming it.

    >>> hvp(lambda x: (x**3).sum(), [1., 2.], [1., 1.])
    array([ 6., 12.])
    """
    return jvp(_grad(backend, f, 0, zeros=True), [x], [v])[1]


def checkpoint(f: Function) -> Function:
    """f, whose intermediate values are computed again in the backward pass, not kept.

    >>> grad(checkpoint(lambda x: x**3))(2.0)
    array(12.)
    """
    return _checkpoint(trace.vjp, f)


def custom_vjp(f: Function, forward: Function, backward: Function) -> Function:
    """f with a hand-written derivative.

    Args:
        f: a function of arrays.
        forward: `forward(*args) -> (value, residuals)`.
        backward: `backward(residuals, g) -> cotangents`, one for each argument.

    >>> clipped = custom_vjp(
    ...     lambda x: x * x,
    ...     lambda x: (x * x, x),
    ...     lambda x, g: (np.clip(2 * x * g, -1, 1),),
    ... )
    >>> grad(clipped)(3.0)
    array(1.)
    """
    return _custom_vjp(f, forward, backward)
