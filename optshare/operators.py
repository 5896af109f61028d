"""Python's operators, written once for everything that acts like an array."""

import operator as _operator
from collections.abc import Callable
from typing import Any

operator: Any = _operator  # typeshed leaves the types of its functions open


class Operators:
    """A mixin that sends every operator through `_operate(function, *operands)`.

    Parameters, tracked values and recorded expressions inherit it.

    >>> class Shown(Operators):
    ...     def _operate(self, function, *operands):
    ...         return function.__name__, len(operands)
    >>> 2 / Shown()
    ('truediv', 2)
    """

    __slots__ = ()

    def _operate(self, function: Callable[..., Any], *operands: Any) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._operate(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._operate(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._operate(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._operate(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._operate(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._operate(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._operate(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._operate(operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._operate(operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._operate(operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Any:
        return self._operate(operator.mod, self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._operate(operator.mod, other, self)

    def __pow__(self, other: Any) -> Any:
        return self._operate(operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._operate(operator.pow, other, self)

    def __matmul__(self, other: Any) -> Any:
        return self._operate(operator.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._operate(operator.matmul, other, self)

    def __neg__(self) -> Any:
        return self._operate(operator.neg, self)

    def __pos__(self) -> Any:
        return self._operate(operator.pos, self)

    def __abs__(self) -> Any:
        return self._operate(operator.abs, self)

    def __lt__(self, other: Any) -> Any:
        return self._operate(operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return self._operate(operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return self._operate(operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return self._operate(operator.ge, self, other)

    def __eq__(self, other: object) -> Any:
        return self._operate(operator.eq, self, other)

    def __ne__(self, other: object) -> Any:
        return self._operate(operator.ne, self, other)

    def __getitem__(self, index: Any) -> Any:
        return self._operate(operator.getitem, self, index)

    __hash__ = object.__hash__
