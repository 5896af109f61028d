"""The methods of arrays that users' functions call, by the functions of the same names."""

from __future__ import annotations

from typing import Any

from optshare.operators import Operators, operator
from optshare.shapes.table import BY_NAME, BY_NUMPY
from optshare.shapes.untyped import np


class Methods(Operators):
    """What an array has beside its shape and its dtype."""

    __slots__ = ()

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return BY_NUMPY[np.transpose](self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return BY_NAME["matrix_transpose"](self)

    @property
    def real(self) -> Any:
        """The real part."""
        return BY_NAME["real"](self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return BY_NAME["imag"](self)

    # -- reductions ------------------------------------------------------------------------

    def sum(self, axis: Any = None, **options: Any) -> Any:
        """The sum over axes."""
        return BY_NAME["sum"](self, axis, **options)

    def mean(self, axis: Any = None, **options: Any) -> Any:
        """The mean over axes."""
        return BY_NAME["mean"](self, axis, **options)

    def prod(self, axis: Any = None, **options: Any) -> Any:
        """The product over axes."""
        return BY_NAME["prod"](self, axis, **options)

    def max(self, axis: Any = None, **options: Any) -> Any:
        """The maximum over axes."""
        return BY_NAME["max"](self, axis, **options)

    def min(self, axis: Any = None, **options: Any) -> Any:
        """The minimum over axes."""
        return BY_NAME["min"](self, axis, **options)

    def var(self, axis: Any = None, **options: Any) -> Any:
        """The variance over axes."""
        return BY_NAME["var"](self, axis, **options)

    def std(self, axis: Any = None, **options: Any) -> Any:
        """The standard deviation over axes."""
        return BY_NAME["std"](self, axis, **options)

    def all(self, axis: Any = None, **options: Any) -> Any:
        """Whether all are true, over axes."""
        return BY_NAME["all"](self, axis, **options)

    def any(self, axis: Any = None, **options: Any) -> Any:
        """Whether one is true, over axes."""
        return BY_NAME["any"](self, axis, **options)

    def argmax(self, axis: Any = None, **options: Any) -> Any:
        """The place of the maximum."""
        return BY_NAME["argmax"](self, axis, **options)

    def argmin(self, axis: Any = None, **options: Any) -> Any:
        """The place of the minimum."""
        return BY_NAME["argmin"](self, axis, **options)

    def cumsum(self, axis: Any = None) -> Any:
        """The sums of the first entries along an axis."""
        return BY_NUMPY[np.cumsum](self, axis)

    # -- shapes ----------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Any:
        """The array in another shape."""
        return BY_NAME["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """The array with its axes permuted; reversed by default."""
        return BY_NUMPY[np.transpose](self, axes[0] if len(axes) == 1 else axes or None)

    def ravel(self) -> Any:
        """The array with one axis."""
        return self.reshape(-1)

    flatten = ravel

    def squeeze(self, axis: Any = None) -> Any:
        """The array without axes of size 1."""
        return BY_NAME["squeeze"](self, axis)

    def swapaxes(self, one: int, other: int) -> Any:
        """The array with two axes exchanged."""
        return BY_NUMPY[np.swapaxes](self, one, other)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """Each element along an axis so many times."""
        return BY_NAME["repeat"](self, repeats, axis=axis)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """The entries at integer indices along an axis."""
        return BY_NAME["take"](self, indices, axis)

    # -- elements --------------------------------------------------------------------------

    def astype(self, dtype: Any, **options: Any) -> Any:
        """The array in another dtype."""
        return BY_NAME["astype"](self, dtype)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """The array held between two bounds."""
        return BY_NAME["clip"](self, min, max)

    def round(self, decimals: int = 0) -> Any:
        """The array rounded."""
        return BY_NAME["round"](self, decimals)

    def conj(self) -> Any:
        """The complex conjugate."""
        return BY_NAME["conj"](self)

    conjugate = conj

    def dot(self, other: Any) -> Any:
        """The product with another array of at most two axes."""
        return BY_NUMPY[np.dot](self, other)

    def copy(self) -> Any:
        """The array itself: it is never written."""
        return self

    # -- operators of truths and whole numbers ----------------------------------------------

    def __and__(self, other: Any) -> Any:
        return self._operate(operator.and_, self, other)

    def __rand__(self, other: Any) -> Any:
        return self._operate(operator.and_, other, self)

    def __or__(self, other: Any) -> Any:
        return self._operate(operator.or_, self, other)

    def __ror__(self, other: Any) -> Any:
        return self._operate(operator.or_, other, self)

    def __xor__(self, other: Any) -> Any:
        return self._operate(operator.xor, self, other)

    def __rxor__(self, other: Any) -> Any:
        return self._operate(operator.xor, other, self)

    def __invert__(self) -> Any:
        return self._operate(operator.invert, self)
