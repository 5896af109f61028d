"""Element-wise functions and their derivatives, one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.extend import NoDerivativeError
from optshare_arrays.broadcasting import cast
from optshare_arrays.parts import conj, imag, is_complex
from optshare_arrays.primitives import Primitive, constant, plain, stands_for
from optshare_arrays.untyped import np, op

Function = Callable[..., Any]
UnaryVJP = Callable[[Any, Any, Any], Any]
BinaryVJP = Callable[[Any, Any, Any, Any], Any]


def unary(function: Function, vjp: UnaryVJP, operator: Function | None = None) -> Primitive:
    """A primitive of one array; `vjp(g, y, x)`."""
    return stands_for(function, operator=operator)(Primitive(function, [vjp]))


def binary(
    function: Function, left: BinaryVJP, right: BinaryVJP, operator: Function | None = None
) -> Primitive:
    """A primitive of two arrays that broadcast; the VJPs are `vjp(g, z, x, y)`."""
    return stands_for(function, operator=operator)(Primitive(function, [left, right]))


where_ = Primitive(
    np.where,
    [
        None,
        lambda g, z, c, x, y: where_(c, g, 0.0),
        lambda g, z, c, x, y: where_(c, 0.0, g),
    ],
    name="where",
)


@stands_for(np.where)
def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, y elsewhere."""
    return where_(plain(condition), x, y)


def _power_of_base(g: Any, z: Any, x: Any, y: Any) -> Any:
    if isinstance(y, int | float):
        return g * (y * power(x, y - 1)) if y else g * 0.0
    none = (plain(y) == 0) & (plain(x) == 0)
    return g * where(none, 0.0, y * power(x, where(none, 1.0, y - 1)))


def _power_of_exponent(g: Any, z: Any, x: Any, y: Any) -> Any:
    base = where(plain(x) == 0, 1.0, x)
    return g * z * log(cast(base, z.dtype) if is_complex(z) else base)


def _share(x: Any, y: Any) -> Any:
    """1 where x is the greater, a half where they tie."""
    x, y = plain(x), plain(y)
    dtype = np.result_type(x, y)
    require_ordered(dtype)
    return (x > y).astype(dtype) + (x == y).astype(dtype) / 2


def require_ordered(dtype: Any) -> None:
    """Raise `NoDerivativeError` for numbers that have no order."""
    if dtype.kind == "c":
        raise NoDerivativeError(
            f"maxima and minima of {dtype} have no derivative, for complex numbers have no "
            f"order; take those of abs(z), or of the real parts"
        )


# fmt: off
negative   = unary(np.negative,   lambda g, y, x: -g, op.neg)
positive   = unary(np.positive,   lambda g, y, x: g, op.pos)
abs        = unary(np.abs,        lambda g, y, x: g * _towards(x), op.abs)
exp        = unary(np.exp,        lambda g, y, x: g * y)
expm1      = unary(np.expm1,      lambda g, y, x: g * exp(x))
log        = unary(np.log,        lambda g, y, x: g / x)
log1p      = unary(np.log1p,      lambda g, y, x: g / (x + 1))
log2       = unary(np.log2,       lambda g, y, x: g / (x * float(np.log(2))))
log10      = unary(np.log10,      lambda g, y, x: g / (x * float(np.log(10))))
sqrt       = unary(np.sqrt,       lambda g, y, x: g * 0.5 / y)
square     = unary(np.square,     lambda g, y, x: g * (2 * x))
reciprocal = unary(np.reciprocal, lambda g, y, x: -g * (y * y))
sin        = unary(np.sin,        lambda g, y, x: g * cos(x))
cos        = unary(np.cos,        lambda g, y, x: -g * sin(x))
tan        = unary(np.tan,        lambda g, y, x: g * (1 + y * y))
asin       = unary(np.arcsin,     lambda g, y, x: g / sqrt(1 - x * x))
acos       = unary(np.arccos,     lambda g, y, x: -g / sqrt(1 - x * x))
atan       = unary(np.arctan,     lambda g, y, x: g / (1 + x * x))
sinh       = unary(np.sinh,       lambda g, y, x: g * cosh(x))
cosh       = unary(np.cosh,       lambda g, y, x: g * sinh(x))
tanh       = unary(np.tanh,       lambda g, y, x: g - g * (y * y))
asinh      = unary(np.arcsinh,    lambda g, y, x: g / sqrt(x * x + 1))
acosh      = unary(np.arccosh,    lambda g, y, x: g / (sqrt(x - 1) * sqrt(x + 1)))
atanh      = unary(np.arctanh,    lambda g, y, x: g / (1 - x * x))

add        = binary(np.add,       lambda g, z, x, y: g, lambda g, z, x, y: g, op.add)
subtract   = binary(np.subtract,  lambda g, z, x, y: g, lambda g, z, x, y: -g, op.sub)
multiply   = binary(np.multiply,  lambda g, z, x, y: g * y, lambda g, z, x, y: g * x, op.mul)
divide     = binary(np.divide,    lambda g, z, x, y: g / y, lambda g, z, x, y: -g * z / y, op.truediv)
power      = binary(np.power,     _power_of_base, _power_of_exponent, op.pow)
maximum    = binary(np.maximum,   lambda g, z, x, y: g * _share(x, y), lambda g, z, x, y: g * _share(y, x))
minimum    = binary(np.minimum,   lambda g, z, x, y: g * _share(y, x), lambda g, z, x, y: g * _share(x, y))
hypot      = binary(np.hypot,     lambda g, z, x, y: g * _ratio(x, z), lambda g, z, x, y: g * _ratio(y, z))
atan2      = binary(np.arctan2,   lambda g, z, x, y: g * y / (x * x + y * y), lambda g, z, x, y: -g * x / (x * x + y * y))
logaddexp  = binary(np.logaddexp, lambda g, z, x, y: g * _portion(x, z), lambda g, z, x, y: g * _portion(y, z))
remainder  = binary(np.remainder, lambda g, z, x, y: g, lambda g, z, x, y: -g * np.floor(plain(x) / plain(y)), op.mod)

floor         = constant(np.floor)
ceil          = constant(np.ceil)
trunc         = constant(np.trunc)
round         = constant(np.round)
floor_divide  = constant(np.floor_divide, op.floordiv)
equal         = constant(np.equal, op.eq)
not_equal     = constant(np.not_equal, op.ne)
less          = constant(np.less, op.lt)
less_equal    = constant(np.less_equal, op.le)
greater       = constant(np.greater, op.gt)
greater_equal = constant(np.greater_equal, op.ge)
isfinite      = constant(np.isfinite)
isinf         = constant(np.isinf)
isnan         = constant(np.isnan)
logical_and   = constant(np.logical_and)
logical_or    = constant(np.logical_or)
logical_not   = constant(np.logical_not)
# fmt: on

for each in (negative, exp, tanh, square, add, subtract, multiply, divide):
    each.alike = True  # each VJP multiplies or divides g by what the answer was computed from


copysign = stands_for(np.copysign)(
    Primitive(
        np.copysign,
        [
            lambda g, z, x, y: g * (sign(x) * sign(z)),
            lambda g, z, x, y: None,  # flat but at 0, as sign
        ],
    )
)


_unit = Primitive(
    np.sign, [lambda g, y, x: conj(y) * (1j * imag(g * y) / where(plain(x) == 0, 1.0, abs(x)))]
)
_angle = Primitive(np.angle, [lambda g, y, x: _ratio(g * -1j, x)])


def _towards(x: Any) -> Any:
    """The derivative of |x|: the sign of x; of complex numbers, its conjugate."""
    value = plain(x)
    return conj(_unit(x)) if value.dtype.kind == "c" else np.sign(value)


@stands_for(np.sign)
def sign(x: Any) -> Any:
    """-1, 0 or 1, a constant; of complex numbers x / |x|, and 0 at 0."""
    return _unit(x) if is_complex(x) else np.sign(plain(x))


@stands_for(np.angle)
def angle(x: Any, deg: bool = False) -> Any:
    """The angle of complex numbers with the positive real axis; its derivative at 0 is 0."""
    radians = _angle(x) if is_complex(x) else np.angle(plain(x))
    return radians * float(np.rad2deg(1.0)) if deg else radians


def _portion(x: Any, z: Any) -> Any:
    """exp(x - z), and 1 where both are the same infinity."""
    same = plain(x) == plain(z)
    return exp(where(same, 0.0, x) - where(same, 0.0, z))


def _ratio(x: Any, z: Any) -> Any:
    """x / z, and 0 where z is 0: the derivative of a norm at its kink."""
    zero = plain(z) == 0
    return where(zero, 0.0, x / where(zero, 1.0, z))


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x held between two bounds; at a bound, they share the gradient evenly."""
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


@stands_for(np.clip)
def _numpy_clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    return clip(a, a_min if min is None else min, a_max if max is None else max)
