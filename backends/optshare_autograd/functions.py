"""Autograd's functions under the Array API standard's names, and those composed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from optshare.extend import Namespace, complete
from optshare_autograd import derivatives, reductions, shaping
from optshare_autograd.einsum import einsum
from optshare_autograd.library import anp, is_box, np, plain

# fmt: off
SAME = (
    "acos", "add", "asin", "asinh", "atan", "atan2", "atanh", "conj", "cos", "cosh",
    "divide", "exp", "imag", "log", "log10", "log1p", "log2", "matmul", "max", "maximum", "mean",
    "min", "minimum", "multiply", "negative", "pow", "real", "reciprocal", "reshape", "sin", "sinh",
    "square", "squeeze", "subtract", "sum", "tan", "tensordot",
)
"""What autograd has, with the meaning and the derivatives of the other engines."""

CONSTANT = (
    "all", "any", "argmax", "argmin", "ceil", "equal", "floor", "full_like", "greater",
    "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "logical_and",
    "logical_not", "logical_or", "not_equal", "ones_like", "round", "trunc", "zeros_like",
)
"""What has no derivative, and gives plain arrays."""
# fmt: on

COMPOSED = (
    reductions.cumulative_sum,
    reductions.logsumexp,
    reductions.prod,
    reductions.std,
    reductions.var,
    reductions.vecdot,
    shaping.asarray,
    shaping.astype,
    shaping.broadcast_to,
    shaping.concat,
    shaping.expand_dims,
    shaping.flip,
    shaping.matrix_transpose,
    shaping.permute_dims,
    shaping.roll,
    shaping.stack,
    shaping.take,
    shaping.take_along_axis,
)


def constant(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without a derivative: it gives plain arrays."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(plain, args), **kwargs)

    return call


def absolute(x: Any) -> Any:
    """The absolute value, with derivative 0 at 0."""
    if anp.iscomplexobj(x):
        return anp.abs(x)
    return x * np.sign(plain(x)) if is_box(x) else np.abs(x)


def sign(x: Any) -> Any:
    """-1, 0 or 1, a constant; of complex numbers x / |x|, and 0 at 0."""
    if is_box(x) and anp.iscomplexobj(x):
        return x / anp.abs(derivatives.choose(plain(x) == 0, 1.0, x))
    return np.sign(plain(x))


def positive(x: Any) -> Any:
    """The array itself."""
    return x if is_box(x) else np.positive(x)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x held between two bounds; at a bound, they share the gradient evenly."""
    if min is not None:
        x = anp.maximum(x, min)
    return x if max is None else anp.minimum(x, max)


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, y elsewhere."""
    return derivatives.choose(plain(condition), x, y)


functions = SimpleNamespace(
    abs=absolute,
    acosh=derivatives.acosh,
    arange=np.arange,
    clip=clip,
    einsum=einsum,
    expm1=derivatives.expm1,
    hypot=derivatives.hypot,
    logaddexp=derivatives.logaddexp,
    positive=positive,
    sign=sign,
    sqrt=derivatives.sqrt,
    stop_gradient=plain,
    tanh=derivatives.tanh,
    where=where,
    **{name: getattr(anp, name) for name in SAME},
    **{name: constant(getattr(np, name)) for name in CONSTANT},
    **{each.__name__: each for each in COMPOSED},
)

ops: Namespace = complete(functions)
