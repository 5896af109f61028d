"""Primitives: array functions that know their derivative, to any order and on every engine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from optshare.extend import Box, CapabilityError, ImplicitUnwrapError, NoDerivativeError
from optshare_arrays.untyped import np

Function = Callable[..., Any]
VJP = (
    Callable[[Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any, Any], Any]
    | Callable[..., Any]
)
"""`vjp(g, ans, *args)`; the arities are spelled out so that a lambda's arguments have types."""
Forward = (
    Callable[[Any], Any]
    | Callable[[Any, Any], Any]
    | Callable[[Any, Any, Any], Any]
    | Callable[..., Any]
)

next_level = itertools.count(1).__next__
"""The level of a new differentiation: a later one is inside, so its values are higher."""

BY_NUMPY: dict[Function, Function] = {}
"""NumPy's functions, and ours that stand in for them on tracked values."""

BY_OPERATOR: dict[Function, Function] = {}
"""The functions of `operator`, and ours."""


class Traceable:
    """A value that some engine tracks.

    `value` is what it stands for: an array, or a value tracked at a lower level.
    """

    __slots__ = ("level", "value")

    value: Any
    level: int

    def record(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply a primitive of which this is an argument of the highest level."""
        raise NotImplementedError


class Differentiable(Protocol):
    """What an engine needs of anything that it records."""

    name: str

    def pull(
        self,
        wanted: Sequence[int],
        g: Any,
        ans: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Sequence[Any]:
        """Cotangents of the wanted arguments, from the cotangent `g` of the result."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result."""
        ...


class Primitive:
    """A function with one vector-Jacobian product for each positional argument.

    A VJP is called as `vjp(g, ans, *args, **kwargs)` and is itself written in
    differentiable operations.
    """

    def __init__(self, forward: Forward, vjps: Sequence[VJP | None] = (), name: str = "") -> None:
        self.forward = forward
        self.vjps = tuple(vjps)
        self.name = name or forward.__name__
        self.__doc__ = forward.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply it; the argument tracked at the highest level decides who records."""
        top: Traceable | None = None
        for each in args:
            if type(each) is np.ndarray:
                continue
            if isinstance(each, Traceable):
                if top is None or each.level > top.level:
                    top = each
            elif isinstance(each, Box):
                return self(*map(unboxed, args), **kwargs)
        if top is None:
            return self.forward(*args, **kwargs)
        return top.record(self, args, kwargs)

    def pull(
        self,
        wanted: Sequence[int],
        g: Any,
        ans: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Sequence[Any]:
        """Cotangents of the wanted arguments, from the cotangent `g` of the result."""
        return [self._vjp(place)(g, ans, *args, **kwargs) for place in wanted]

    def _vjp(self, place: int) -> VJP:
        vjp = self.vjps[place] if place < len(self.vjps) else None
        if vjp is None:
            raise NoDerivativeError(
                f"{self.name} has no derivative for argument {place}; "
                f"pass a constant there (stop_gradient)"
            )
        return vjp

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


class Variadic(Primitive):
    """A primitive of any number of arrays, whose one VJP also takes the argument's place."""

    def _vjp(self, place: int) -> VJP:
        vjp = self.vjps[0]
        assert vjp is not None
        return partial(vjp, place)


def stands_for(*functions: Function, operator: Function | None = None) -> Callable[[Any], Any]:
    """Register a function as ours for some of NumPy's, and for one of `operator`'s."""

    def register(ours: Any) -> Any:
        for each in functions:
            BY_NUMPY[each] = ours
        if operator is not None:
            BY_OPERATOR[operator] = ours
        return ours

    return register


def unboxed(value: Any) -> Any:
    """The value of a Variable, tracked; another box raises, as it does everywhere."""
    if not isinstance(value, Box):
        return value
    if not value.implicit:
        raise ImplicitUnwrapError(
            f"a {type(value).__name__} was passed to a function of arrays; pass p.value instead"
        )
    return value.value


def plain(value: Any) -> Any:
    """The array under a value, however many engines track it."""
    while isinstance(value, Traceable):
        value = value.value
    return value


def constant(function: Function, operator: Function | None = None) -> Function:
    """A function without a derivative (comparisons, rounding): gives plain arrays."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(plain, args), **kwargs)

    call.__name__ = function.__name__
    call.__doc__ = function.__doc__
    return stands_for(function, operator=operator)(call)


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes that broadcasting added or stretched."""
    extra = tuple(range(x.ndim - len(shape)))
    stretched = tuple(
        len(extra) + axis
        for axis, size in enumerate(shape)
        if size == 1 and x.shape[len(extra) + axis] != 1
    )
    return np.sum(x, axis=extra + stretched, keepdims=True).reshape(shape)


sum_to_shape = Primitive(sum_to, [lambda g, ans, x, shape: broadcast(g, x.shape)])
broadcast = Primitive(
    lambda x, shape: np.broadcast_to(x, shape),
    [lambda g, ans, x, shape: unbroadcast(g, x)],
    name="broadcast_to",
)
cast = Primitive(
    lambda x, dtype: x.astype(dtype, copy=False),
    [lambda g, ans, x, dtype: cast(g, x.dtype) if ans.dtype.kind in "fc" else None],
    name="astype",
)


def unbroadcast(g: Any, x: Any) -> Any:
    """A cotangent in the shape and dtype of the argument that was broadcast."""
    if g.shape != x.shape:
        g = sum_to_shape(g, x.shape)
    if g.dtype == x.dtype:
        return g
    require_real(g)
    return cast(g, x.dtype)


def require_real(x: Any) -> Any:
    """x, or `CapabilityError` if it is complex: the derivatives here are those of real numbers."""
    if x.dtype.kind == "c":
        raise CapabilityError(
            f"{x.dtype} arrays cannot be differentiated by this engine, which does not declare "
            f"'complex'; differentiate real and imaginary parts"
        )
    return x
