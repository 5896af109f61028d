"""The `ops` of both engines: every primitive and composition, on plain and tracked arrays."""

from __future__ import annotations

import sys
from typing import Any

from optshare.extend import Namespace, complete
from optshare_arrays import nn, random
from optshare_arrays.constants import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    count_nonzero,
    logical_xor,
    nextafter,
    nonzero,
    searchsorted,
    signbit,
)
from optshare_arrays.devices import converted
from optshare_arrays.diagonals import tril, triu
from optshare_arrays.einsum import einsum
from optshare_arrays.elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    clip,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    positive,
    reciprocal,
    remainder,
    round,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
    where,
)
from optshare_arrays.elementwise import power as pow
from optshare_arrays.indexing import flip, take, take_along_axis
from optshare_arrays.padding import pad
from optshare_arrays.parts import conj, imag, real
from optshare_arrays.primitives import Traceable, constant, plain, stands_for
from optshare_arrays.products import matmul, tensordot, vecdot
from optshare_arrays.reductions import (
    all,
    any,
    argmax,
    argmin,
    cumulative_sum,
    logsumexp,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from optshare_arrays.shaping import (
    astype,
    broadcast_to,
    concat,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    roll,
    squeeze,
    stack,
)
from optshare_arrays.sorting import argsort, sort
from optshare_arrays.untyped import np

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "all",
    "any",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asarray",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "broadcast_to",
    "ceil",
    "clip",
    "concat",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "count_nonzero",
    "cumulative_sum",
    "divide",
    "einsum",
    "equal",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "floor_divide",
    "full_like",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "nextafter",
    "nonzero",
    "not_equal",
    "ones_like",
    "ops",
    "pad",
    "permute_dims",
    "positive",
    "pow",
    "prod",
    "real",
    "reciprocal",
    "remainder",
    "reshape",
    "roll",
    "round",
    "searchsorted",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sort",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tril",
    "triu",
    "trunc",
    "var",
    "vecdot",
    "where",
    "zeros_like",
]

zeros_like = constant(np.zeros_like)
ones_like = constant(np.ones_like)
stop_gradient = plain


@stands_for(np.full_like)
def full_like(x: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Any:
    """One number in the shape of an array; differentiable by the number."""
    if not isinstance(fill_value, Traceable):
        return np.full_like(plain(x), fill_value, dtype=dtype, **options)
    return broadcast_to(astype(fill_value, dtype or x.dtype), options.get("shape", x.shape))


def arange(*bounds: Any, dtype: Any = None, device: Any = None) -> Any:
    """Evenly spaced numbers: `arange(stop)`, `arange(start, stop, step)`."""
    return converted(np.arange(*bounds, dtype=dtype), device=device)


def asarray(x: Any, dtype: Any = None, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array of what is given, where it is or on a device; a tracked value stays what it is."""
    if isinstance(x, Traceable):
        return x if dtype is None else astype(x, dtype)
    return converted(x, dtype, device, copy)


ops: Namespace = complete(sys.modules[__name__], nn=nn, random=random)
