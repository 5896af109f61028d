"""Element-wise functions of NumPy's that the Array API standard has not."""

from __future__ import annotations

import math
from typing import Any

from optshare_arrays.elementwise import (
    binary,
    cos,
    logaddexp,
    require_ordered,
    sign,
    sin,
    unary,
    where,
)
from optshare_arrays.primitives import plain, stands_for
from optshare_arrays.untyped import np

DEGREE = math.pi / 180


def _greater(x: Any, y: Any) -> Any:
    """1 where x is the greater or y is no number, a half where they tie."""
    x, y = plain(x), plain(y)
    dtype = np.result_type(x, y)
    require_ordered(dtype)
    return ((x > y) | (np.isnan(y) & ~np.isnan(x))).astype(dtype) + (x == y).astype(dtype) / 2


def _sinc_slope(x: Any) -> Any:
    """(cos(pi x) - sinc(x)) / x, and its limit 0 at 0."""
    zero = plain(x) == 0
    safe = where(zero, 1.0, x)
    slope = (cos(math.pi * safe) - sin(math.pi * safe) / (math.pi * safe)) / safe
    return where(zero, -(math.pi**2) / 3 * x, slope)


def _smaller(x: Any, y: Any) -> Any:
    return _greater(-plain(x), -plain(y))


def _whole(x: Any, y: Any) -> Any:
    return np.trunc(plain(x) / plain(y))


# fmt: off
cbrt       = unary(np.cbrt,       lambda g, y, x: g / (3 * y * y))
exp2       = unary(np.exp2,       lambda g, y, x: g * y * math.log(2))
fabs       = unary(np.fabs,       lambda g, y, x: g * sign(x))
deg2rad    = unary(np.deg2rad,    lambda g, y, x: g * DEGREE)
rad2deg    = unary(np.rad2deg,    lambda g, y, x: g / DEGREE)
sinc       = unary(np.sinc,       lambda g, y, x: g * _sinc_slope(x))
nan_to_num = unary(np.nan_to_num, lambda g, y, x: g * np.isfinite(plain(x)))

fmax = binary(np.fmax, lambda g, z, x, y: g * _greater(x, y), lambda g, z, x, y: g * _greater(y, x))
fmin = binary(np.fmin, lambda g, z, x, y: g * _smaller(x, y), lambda g, z, x, y: g * _smaller(y, x))
fmod = binary(np.fmod, lambda g, z, x, y: g, lambda g, z, x, y: -g * _whole(x, y))
# fmt: on

stands_for(np.radians)(deg2rad)
stands_for(np.degrees)(rad2deg)


@stands_for(np.logaddexp2)
def logaddexp2(x: Any, y: Any) -> Any:
    """log2(2**x + 2**y), without overflow."""
    unit = math.log(2)
    return logaddexp(x * unit, y * unit) / unit
