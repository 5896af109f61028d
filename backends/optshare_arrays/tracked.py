"""Tracked: a value that acts like a NumPy array while an engine records it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import getitem
from typing import Any, NoReturn

from optshare.extend import (
    Box,
    ImplicitUnwrapError,
    InPlaceError,
    NoDerivativeError,
    Operators,
    OptshareError,
)
from optshare_arrays import elementwise, indexing, parts, products, reductions, shaping
from optshare_arrays.broadcasting import cast
from optshare_arrays.primitives import BY_NUMPY, BY_OPERATOR, Traceable, plain
from optshare_arrays.shaping import as_array
from optshare_arrays.untyped import np, op


class Tracked(Traceable, Operators):
    """The base of both engines' values: operators, methods, and NumPy's dispatch protocols."""

    __slots__ = ()

    def _operate(self, function: Callable[..., Any], *operands: Any) -> Any:
        if any(isinstance(each, Box) for each in operands):
            return NotImplemented  # the box's own operator reads its value
        if function is not getitem:
            operands = tuple(map(as_array, operands))
        return BY_OPERATOR[function](*operands)

    # -- NumPy's functions -----------------------------------------------------------------

    def __array_ufunc__(
        self, ufunc: Callable[..., Any], method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        if method == "__call__" and not kwargs and ufunc in BY_NUMPY:
            return BY_NUMPY[ufunc](*inputs)
        if method == "at":
            raise InPlaceError(
                f"numpy.{ufunc.__name__}.at writes into an array, which would lose the gradient "
                f"of a tracked value; add one that take, where or concat makes"
            )
        if method != "__call__":
            raise NoDerivativeError(
                f"numpy.{ufunc.__name__}.{method} has no derivative here; "
                f"use a function such as numpy.sum"
            )
        if set(kwargs) - {"out"}:
            raise TypeError(
                f"numpy.{ufunc.__name__} of a tracked value takes no {', '.join(kwargs)}="
            )
        return self.__array_function__(ufunc, (), inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if kwargs.get("out") is not None:
            raise InPlaceError(f"{_named(function)} cannot write a tracked value into out=")
        if function not in BY_NUMPY:
            raise NoDerivativeError(
                f"{_named(function)} has no derivative here; compose it of functions of "
                f"optshare.ops, or apply it to ops.stop_gradient(x), a constant"
            )
        given = {key: each for key, each in kwargs.items() if key != "out"}
        try:
            return BY_NUMPY[function](*args, **given)
        except OptshareError:
            raise
        except TypeError as error:
            raise TypeError(f"{_named(function)} of a tracked value: {error}") from error

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImplicitUnwrapError(
            "NumPy would unwrap this tracked value and lose its gradient; "
            "use a function of optshare.ops, or ops.stop_gradient(x) for a constant"
        )

    # -- what an array has -----------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.value.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the array."""
        return self.value.dtype

    @property
    def device(self) -> Any:
        """Where the array is."""
        return plain(self).device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.value.size

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return shaping.transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return parts.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return parts.imag(self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return shaping.matrix_transpose(self)

    def conj(self) -> Any:
        """The complex conjugate."""
        return parts.conj(self)

    conjugate = conj

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The sum over axes."""
        return reductions.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The mean over axes."""
        return reductions.mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The product over axes."""
        return reductions.prod(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The maximum over axes; ties share the gradient."""
        return reductions.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The minimum over axes; ties share the gradient."""
        return reductions.min(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, ddof: float = 0.0, keepdims: bool = False) -> Any:
        """The variance over axes."""
        return reductions.var(self, axis=axis, correction=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, *, ddof: float = 0.0, keepdims: bool = False) -> Any:
        """The standard deviation over axes."""
        return reductions.std(self, axis=axis, correction=ddof, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Any:
        """The cumulative sum along an axis, or of all elements."""
        return reductions.cumsum(self, axis)

    def argmax(self, axis: Any = None) -> Any:
        """The place of the maximum, a constant."""
        return plain(self).argmax(axis)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """The entries at integer indices along an axis."""
        return indexing.take(self, indices, axis)

    def swapaxes(self, one: int, other: int) -> Any:
        """The array with two axes exchanged."""
        return shaping.swapaxes(self, one, other)

    def reshape(self, *shape: Any) -> Any:
        """The array in another shape."""
        return shaping.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The array with its axes permuted; reversed by default."""
        return shaping.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def ravel(self) -> Any:
        """The array with one axis."""
        return shaping.reshape(self, (-1,))

    flatten = ravel

    def dot(self, other: Any) -> Any:
        """The product with another array of at most two axes."""
        return products.dot(self, other)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """The array held between two bounds."""
        return elementwise.clip(self, min, max)

    def copy(self) -> Any:
        """The array itself: a tracked value is never written."""
        return self

    def squeeze(self, axis: Any = None) -> Any:
        """The array without axes of size 1."""
        return shaping.squeeze(self, axis)

    def astype(self, dtype: Any) -> Any:
        """The array in another dtype."""
        return cast(self, dtype)

    def item(self) -> Any:
        """The one element as a Python number, a constant."""
        return plain(self).item()

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (indexing.getitem(self, i) for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(plain(self))

    def __float__(self) -> NoReturn:
        raise ImplicitUnwrapError(
            "float() would lose the gradient of this tracked value; use x.item() for a constant"
        )

    def __format__(self, spec: str) -> str:
        return format(plain(self), spec)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InPlaceError("a tracked value cannot be written in place; use where, or concat parts")

    def __deepcopy__(self, memo: Any) -> NoReturn:
        raise ImplicitUnwrapError(
            "copying a tracked value would lose its gradient; copy ops.stop_gradient(x), its array"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({plain(self)!r})"


def _named(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"


_DIRECT = {np.ndarray, float, int, complex}


def _both(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator and its reflection, recorded without a detour where the other is an array."""
    ours: Any = BY_OPERATOR[function]

    def operator(self: Tracked, other: Any) -> Any:
        scope = self.scope
        if type(other) in _DIRECT:
            return scope.record_pair(ours, 0b101, (self.node,), self.value, other)
        if isinstance(other, Traceable) and other.scope is scope:
            nodes = self.node, other.node
            return scope.record_pair(ours, 0b111, nodes, self.value, other.value)
        return self._operate(function, self, other)  # pyright: ignore[reportPrivateUsage] # its own

    def reflected(self: Tracked, other: Any) -> Any:
        if type(other) in _DIRECT:
            return self.scope.record_pair(ours, 0b110, (self.node,), other, self.value)
        return self._operate(function, other, self)  # pyright: ignore[reportPrivateUsage] # its own

    return operator, reflected


for each in (op.add, op.sub, op.mul, op.truediv, op.pow):
    name = each.__name__
    for prefix, method in zip(("", "r"), _both(each), strict=True):
        setattr(Tracked, f"__{prefix}{name}__", method)
