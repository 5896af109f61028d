"""Functions that autograd lacks, or whose derivatives it has otherwise at kinks and far out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare_autograd.library import anp, core, np, plain, vjps

Function = Callable[..., Any]
Forward = (
    Callable[[Any], Any]
    | Callable[[Any, Any], Any]
    | Callable[[Any, Any, Any], Any]
    | Callable[..., Any]
)
BinaryVJP = Callable[[Any, Any, Any, Any], Any]
VJP = (
    Callable[[Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any, Any], Any]
    | Callable[..., Any]
)
"""`vjp(g, ans, *args)`; the arities are spelled out so that a lambda's arguments have types."""


def primitive(forward: Forward, *rules: VJP | None) -> Function:
    """A primitive of autograd's, with one VJP for each argument."""
    made = core.primitive(forward)
    core.defvjp(made, *(rule and _staged(rule) for rule in rules))
    return made


def _staged(rule: VJP) -> Function:
    """A VJP as autograd calls it: first with the arguments, then with the cotangent."""

    def stage(ans: Any, *args: Any) -> Function:
        def pull(g: Any) -> Any:
            return rule(g, ans, *args)

        return pull

    return stage


def fitted(g: Any, x: Any) -> Any:
    """A cotangent in the shape of the argument that was broadcast."""
    return vjps.unbroadcast(g, anp.metadata(x))


def unary(function: Function, rule: Callable[[Any, Any, Any], Any]) -> Function:
    """A primitive of one array; the rule is `vjp(g, y, x)`."""

    def forward(x: Any) -> Any:  # autograd's own primitive of this function stays registered
        return function(x)

    return primitive(forward, rule)


def binary(function: Function, left: BinaryVJP, right: BinaryVJP) -> Function:
    """A primitive of two arrays that broadcast; the rules are `vjp(g, z, x, y)`."""

    def forward(x: Any, y: Any) -> Any:
        return function(x, y)

    return primitive(
        forward,
        lambda g, z, x, y: fitted(left(g, z, x, y), x),
        lambda g, z, x, y: fitted(right(g, z, x, y), y),
    )


# -- elementwise ---------------------------------------------------------------------------

acosh = unary(np.arccosh, lambda g, y, x: g / (anp.sqrt(x - 1) * anp.sqrt(x + 1)))
expm1 = unary(np.expm1, lambda g, y, x: g * anp.exp(x))
sqrt = unary(np.sqrt, lambda g, y, x: g * 0.5 / y)
tanh = unary(np.tanh, lambda g, y, x: g * (1 - y * y))
hypot = binary(np.hypot, lambda g, z, x, y: g * _ratio(x, z), lambda g, z, x, y: g * _ratio(y, z))
logaddexp = binary(
    np.logaddexp, lambda g, z, x, y: g * _portion(x, z), lambda g, z, x, y: g * _portion(y, z)
)
choose = primitive(
    lambda condition, x, y: np.where(condition, x, y),
    None,
    lambda g, z, condition, x, y: fitted(choose(condition, g, 0.0), x),
    lambda g, z, condition, x, y: fitted(choose(condition, 0.0, g), y),
)
cast = primitive(
    lambda x, dtype: np.asarray(x).astype(dtype, copy=False),
    lambda g, y, x, dtype: cast(vjps.match_complex(x, g), x.dtype),
)


def _ratio(x: Any, z: Any) -> Any:
    """x / z, and 0 where z is 0: the derivative of a norm at its kink."""
    zero = plain(z) == 0
    return choose(zero, 0.0, x / choose(zero, 1.0, z))


def _portion(x: Any, z: Any) -> Any:
    """exp(x - z), and 1 where both are the same infinity."""
    same = plain(x) == plain(z)
    return anp.exp(choose(same, 0.0, x) - choose(same, 0.0, z))


# -- shapes and scans ----------------------------------------------------------------------

broadcast = primitive(
    lambda x, shape: np.broadcast_to(x, shape), lambda g, y, x, shape: fitted(g, x)
)
reverse = primitive(lambda x, axis: np.flip(x, axis), lambda g, y, x, axis: reverse(g, axis))
shift = primitive(
    lambda x, by, axis: np.roll(x, by, axis),
    lambda g, y, x, by, axis: shift(g, np.negative(by), axis),
)
cumulate = primitive(
    lambda x, axis: np.cumsum(x, axis),
    lambda g, y, x, axis: reverse(cumulate(reverse(g, axis), axis), axis),
)


def _logsumexp(x: Any, axis: tuple[int, ...]) -> Any:
    top = np.max(x.real, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top


logsumexp = primitive(
    _logsumexp,
    lambda g, y, x, axis: g * anp.exp(x - choose(plain(y) == -np.inf, 0.0, y)),
)
