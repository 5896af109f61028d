"""The functional engine's face: `grad` and everything made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from optshare.extend import DifferentiationError, Overlay, Pullback, floating, is_array
from optshare_arrays import checkpoint as _checkpoint
from optshare_arrays import custom_vjp as _custom_vjp
from optshare_arrays import grad as _grad
from optshare_arrays import gradient as _gradient
from optshare_arrays import ops, plain
from optshare_arrays import value_and_grad as _value_and_grad
from optshare_functional import trace
from optshare_functional.backend import backend

Function = Callable[..., Any]


def grad(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """A function that gives the gradient of f for one argument, or for several.

    Arguments may be arrays, numbers, and lists, tuples and dicts of them; the
    gradient has the same structure. It nests to any order.

    >>> grad(lambda x: x**3)(2.0)
    array(12.)
    >>> grad(grad(lambda x: x**3))(2.0)
    array(12.)
    """
    return _grad(backend, f, argnum)


def value_and_grad(f: Function, argnum: int | tuple[int, ...] = 0) -> Function:
    """A function that gives the value of f and its gradient, value first.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (np.float64(9.0), array(6.))
    """
    return _value_and_grad(backend, f, argnum)


def gradient(f: Function, *args: Any) -> tuple[Any, ...]:
    """The gradient of f for each argument.

    >>> gradient(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
    (array([4., 5., 6.]), array([1., 2., 3.]))
    """
    return _gradient(backend, f, *args)


def vjp(f: Function, *args: Any) -> tuple[Any, Pullback]:
    """The value of f and its pullback, from a cotangent of the value to those of the arguments.

    >>> value, pullback = vjp(lambda x: x * x, [1., 2.])
    >>> pullback([1., 10.])
    [array([ 2., 40.])]
    """
    return _vjp(f, *map(_array, args))


def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of f and its derivative along tangents, one for each argument.

    The pullback is linear in the cotangent; its own transpose is the derivative. That of a
    function of complex arrays is linear over the reals.

    >>> jvp(lambda x, y: x * y, [3., 4.], [1., 0.])
    (np.float64(12.0), array(4.))
    """
    inputs = [_array(each) for each in args]
    along = [_array(each) for each in tangents]
    shapes = [each.shape for each in inputs], [each.shape for each in along]
    if shapes[0] != shapes[1]:
        raise DifferentiationError(f"arguments of shapes {shapes[0]}, tangents of {shapes[1]}")
    for each, tangent in zip(inputs, along, strict=True):
        if tangent.dtype.kind == "c" and each.dtype.kind != "c":
            raise DifferentiationError(f"an argument of {each.dtype}, a tangent of {tangent.dtype}")
    value, pullback = vjp(f, *inputs)

    def paired(cotangent: Any) -> Any:
        pulled = pullback(cotangent)
        total = 0.0 * ops.sum(ops.real(cotangent))
        for each, tangent in zip(pulled, along, strict=True):
            if each is not None:
                total = total + ops.sum(ops.real(ops.conj(each) * tangent))
        return total

    _, transpose = trace.vjp(paired, ops.zeros_like(value))
    return value, transpose(1.0)[0]


def jacobian(f: Function) -> Function:
    """A function that gives all partial derivatives of f for its first argument.

    The result has the shape of the value followed by the shape of the argument. The argument is
    real; a function of complex numbers has no array of partial derivatives, but a `jvp`.

    >>> jacobian(lambda x: x * x)([1., 2.])
    array([[2., 0.], [0., 4.]])
    """

    @wraps(f)
    def call(x: Any, *args: Any) -> Any:
        array = _array(x)
        if array.dtype.kind == "c":
            raise DifferentiationError(
                f"partial derivatives for an argument of {array.dtype}; use jvp or vjp, or "
                f"differentiate for its real and imaginary parts"
            )
        value, pullback = _vjp(partial(_of_first, f, args), array)
        value = ops.asarray(value)
        shape = value.shape + array.shape
        if not value.size:
            return np.zeros(shape, array.dtype)
        basis = np.eye(value.size, dtype=value.dtype).reshape(value.size, *value.shape)
        rows = [_row(pullback, each, array) for each in basis]
        return ops.reshape(ops.stack(rows), shape)

    return call


def hessian(f: Function) -> Function:
    """A function that gives the second derivatives of a scalar f for its first argument.

    >>> hessian(lambda x: (x**3).sum())([1., 2.])
    array([[ 6.,  0.], [ 0., 12.]])
    """
    slope = grad(f)

    @wraps(f)
    def gradient_or_zero(x: Any, *args: Any) -> Any:
        return _or_zero(slope(x, *args), x)

    return jacobian(gradient_or_zero)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """The Hessian of a scalar f at x, times v, without forming it.

    >>> hvp(lambda x: (x**3).sum(), [1., 2.], [1., 1.])
    array([ 6., 12.])
    """
    return jvp(grad(f), [x], [v])[1]


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


def _vjp(f: Function, *arrays: Any) -> tuple[Any, Pullback]:
    """The engine's `vjp`, inside a differentiation of optshare's."""

    def inside(*inputs: Any) -> Any:
        with Overlay(plain):
            return f(*inputs)

    return trace.vjp(inside, *arrays)


def _of_first(f: Function, others: tuple[Any, ...], x: Any) -> Any:
    return f(x, *others)


def _array(x: Any) -> Any:
    return x if is_array(x) and not isinstance(x, np.ndarray | np.generic) else floating(x)


def _row(pullback: Pullback, unit: Any, array: Any) -> Any:
    """The partial derivatives of one element of the value, by its real and its imaginary part."""
    row = _or_zero(pullback(unit)[0], array)
    return row + 1j * _or_zero(pullback(1j * unit)[0], array) if unit.dtype.kind == "c" else row


def _or_zero(gradient: Any, array: Any) -> Any:
    return ops.zeros_like(array) if gradient is None else gradient
