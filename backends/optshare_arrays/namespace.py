"""The `ops` of both engines: every primitive and composition, on plain and tracked arrays."""

from __future__ import annotations

import sys
from typing import Any, Literal

from optshare.extend import Namespace, complete
from optshare_arrays import nn
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
from optshare_arrays.parts import conj, imag, real
from optshare_arrays.primitives import Traceable, constant, plain
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
    permute_dims,
    reshape,
    roll,
    squeeze,
    stack,
)
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
    "asarray",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "broadcast_to",
    "ceil",
    "clip",
    "concat",
    "conj",
    "cos",
    "cosh",
    "cumulative_sum",
    "divide",
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
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "ones_like",
    "ops",
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
    "sign",
    "sin",
    "sinh",
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
    "trunc",
    "var",
    "vecdot",
    "where",
    "zeros_like",
]

arange = np.arange
zeros_like = constant(np.zeros_like)
ones_like = constant(np.ones_like)
full_like = constant(np.full_like)
stop_gradient = plain


def asarray(
    x: Any, dtype: Any = None, *, device: Literal["cpu"] | None = None, copy: bool | None = None
) -> Any:
    """An array of what is given; a tracked value stays what it is."""
    if isinstance(x, Traceable):
        return x if dtype is None else astype(x, dtype)
    return np.asarray(x, dtype, device=device, copy=copy)


ops: Namespace = complete(sys.modules[__name__], nn=nn)
