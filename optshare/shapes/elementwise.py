"""Functions that work element by element.

The dtype is what NumPy's function gives for arrays of no element; the shape is the broadcast one.
"""

from __future__ import annotations

import math
from typing import Any

from optshare.errors import DataError, NoNumbersError
from optshare.narrowing import is_sequence
from optshare.parameter import is_array
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops
from optshare.shapes.reading import dtype_of, shaped, shapes_of
from optshare.shapes.table import ANY_UFUNC, BY_OPERATOR, Function, stands_for
from optshare.shapes.untyped import np, op

# fmt: off
NAMES = (
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "ceil", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor",
    "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less",
    "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter",
    "not_equal", "positive", "pow", "reciprocal", "remainder", "round", "sign", "signbit",
    "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
)
# fmt: on
"""Those of the protocol, and more of the Array API standard, that NumPy calls so, too."""

FURTHER = np.around, np.nan_to_num, np.sinc, np.angle, np.isclose
"""Those of NumPy's own that are no universal functions."""

OPERATORS = {
    op.add: np.add,
    op.sub: np.subtract,
    op.mul: np.multiply,
    op.truediv: np.divide,
    op.floordiv: np.floor_divide,
    op.mod: np.remainder,
    op.pow: np.power,
    op.neg: np.negative,
    op.pos: np.positive,
    op.abs: np.abs,
    op.lt: np.less,
    op.le: np.less_equal,
    op.gt: np.greater,
    op.ge: np.greater_equal,
    op.eq: np.equal,
    op.ne: np.not_equal,
    op.and_: np.bitwise_and,
    op.or_: np.bitwise_or,
    op.xor: np.bitwise_xor,
    op.invert: np.invert,
}


def elementwise(function: Function, cost: int = 1) -> Function:
    """A function of NumPy's by elements, for arrays without numbers.

    Args:
        function: NumPy's.
        cost: the operations for each element of the answer.

    >>> elementwise(np.add)(Shaped((2, 1), "int8"), Shaped((3,), "float32"))
    Shaped((2, 3), float32)
    """

    def call(*args: Any, **options: Any) -> Any:
        given = [np.asarray(each) if is_sequence(each) else each for each in args]
        arrays = [shaped(each) for each in (*given, *options.values()) if is_array(each)]
        shape = _broadcast(function.__name__, arrays)
        found: Any = function(
            *map(_empty, given), **{name: _empty(each) for name, each in options.items()}
        )
        parts = found if is_sequence(found) else (found,)
        count_flops(cost * len(parts) * math.prod(shape))
        answers = tuple(Shaped(shape, each.dtype) for each in parts)
        return answers if is_sequence(found) else answers[0]

    return call


def _empty(x: Any) -> Any:
    """An array of the same dtype, without an element; what is no array, as it is."""
    return np.empty(0, shaped(x).dtype) if is_array(x) else x


def _broadcast(name: str, arrays: list[Shaped]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(each.shape for each in arrays))
    except ValueError as error:
        raise DataError(
            f"{name}: arrays of the shapes {shapes_of(*arrays)} do not broadcast"
        ) from error


def astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    """The array in another dtype."""
    return Shaped(shaped(x).shape, dtype_of(dtype))


def _held(x: Any, min: Any, max: Any) -> Any:
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


_clip = elementwise(_held)


@stands_for(name="clip")
def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """The array held between two bounds."""
    return _clip(x, min, max)


@stands_for(np.clip)
def _numpy_clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    return clip(a, a_min if min is None else min, a_max if max is None else max)


@stands_for(np.conj, name="conj")
def conj(x: Any) -> Shaped:
    """The complex conjugate; a real array is its own."""
    return shaped(x)


_where = elementwise(np.where)


@stands_for(np.where, name="where")
def where(condition: Any, *choices: Any) -> Any:
    """The first choice where the condition holds, the second elsewhere."""
    if len(choices) != 2:
        raise NoNumbersError(
            "where(condition) gives as many places as there are truths, and here are no numbers; "
            "write where(condition, x, y), or call the model on real data instead"
        )
    return _where(condition, *choices)


for name in NAMES:
    stands_for(getattr(np, name), name=name)(elementwise(getattr(np, name)))
for each in ("real", "imag"):
    stands_for(getattr(np, each), name=each)(elementwise(getattr(np, each), cost=0))
for further in FURTHER:
    stands_for(further)(elementwise(further))
stands_for(np.astype, name="astype")(astype)
BY_OPERATOR.update({function: elementwise(ours) for function, ours in OPERATORS.items()})
ANY_UFUNC.append(elementwise)
