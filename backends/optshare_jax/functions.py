"""JAX's functions under the Array API standard's names."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from optshare.extend import Namespace, ParameterError, complete, host_bernoulli
from optshare_jax import convolution
from optshare_jax.library import jax, jnp
from optshare_jax.precision import require_dtype_held, require_held


def _acosh_jvp(tangent: Any, y: Any, x: Any) -> Any:
    return tangent / (jnp.sqrt(x - 1) * jnp.sqrt(x + 1))


_acosh = jax.custom_jvp(jnp.acosh)
_acosh.defjvps(_acosh_jvp)


class Functions:
    """The standard's functions, from `jax.numpy`, with those that differ."""

    def __getattr__(self, name: str) -> Any:
        return getattr(jnp, name)

    @staticmethod
    def asarray(x: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """An array of JAX's; float64 needs x64."""
        if dtype is None:
            require_held(x)
        else:
            require_dtype_held(dtype)
        return jnp.asarray(x, dtype, device=None if device is None else device_named(device))

    @staticmethod
    def astype(x: Any, dtype: Any) -> Any:
        """The array in another dtype; float64 needs x64."""
        require_dtype_held(dtype)
        return jnp.astype(x, dtype)

    @staticmethod
    def abs(x: Any) -> Any:
        """|x|; its derivative at 0 is 0, where JAX's is 1 for real x."""
        if jnp.iscomplexobj(x):
            return jnp.abs(x)
        return x * jax.lax.stop_gradient(jnp.sign(x))

    @staticmethod
    def acosh(x: Any) -> Any:
        """The inverse of cosh; JAX's own derivative is negated where the real part is negative."""
        return _acosh(x) if jnp.iscomplexobj(x) else jnp.acosh(x)

    @staticmethod
    def sign(x: Any) -> Any:
        """The sign; of complex numbers x / |x|, a constant to JAX's own."""
        if not jnp.iscomplexobj(x):
            return jnp.sign(x)
        zero = x == 0
        return jnp.where(zero, 0, x / jnp.abs(jnp.where(zero, 1, x)))

    @staticmethod
    def stop_gradient(x: Any) -> Any:
        """The value as a constant."""
        return jax.lax.stop_gradient(x)

    @staticmethod
    def take(x: Any, indices: Any, *, axis: int = 0) -> Any:
        """The elements at indices along an axis; where there are none, JAX's own is a constant."""
        if 0 in indices.shape:
            return jax.lax.slice_in_dim(x, 0, 0, axis=axis)
        return jnp.take(x, indices, axis=axis)

    @staticmethod
    def is_concrete(x: Any) -> bool:
        """Whether its numbers are known now: not while a function is being traced."""
        return not isinstance(x, jax.core.Tracer)

    @staticmethod
    def logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
        """log(sum(exp(x))) over axes."""
        return jax.nn.logsumexp(x, axis, keepdims=keepdims)

    @staticmethod
    def scan(step: Callable[..., Any], carry: Any, inputs: Any) -> tuple[Any, Any]:
        """A loop over the first axis; it is compiled once, whatever its length."""
        found, _ = jax.eval_shape(step, carry, inputs[0])
        return jax.lax.scan(step, jax.tree.map(_as_wide, carry, found), inputs)


class Neural:
    """The neural functions that JAX has with the same meaning."""

    relu = staticmethod(jax.nn.relu)
    conv = staticmethod(convolution.conv)
    conv_transpose = staticmethod(convolution.conv_transpose)
    mean_pool = staticmethod(convolution.mean_pool)
    sigmoid = staticmethod(jax.nn.sigmoid)

    @staticmethod
    def log_softmax(x: Any, *, axis: int = -1) -> Any:
        """x - logsumexp(x) along an axis."""
        return jax.nn.log_softmax(x, axis)

    @staticmethod
    def softmax(x: Any, *, axis: int = -1) -> Any:
        """exp(x) / sum(exp(x)) along an axis."""
        return jax.nn.softmax(x, axis)


def _as_wide(array: Any, like: Any) -> Any:
    """An array in another's dtype: what a loop carries keeps it."""
    return jnp.astype(array, like.dtype)


class RandomArrays:
    """Drawn on the host, also from inside a compiled function."""

    @staticmethod
    def bernoulli(key: tuple[Any, ...], probability: float, like: Any) -> Any:
        """0 and 1 in the shape and dtype of an array; parts of the key may be traced."""
        traced = tuple(isinstance(each, jax.core.Tracer) for each in key)
        fixed = tuple(0 if drawn else int(each) for each, drawn in zip(key, traced, strict=True))
        shape = tuple(like.shape)
        draw = _drawer(fixed, traced, probability, shape)
        changing = [each for each, drawn in zip(key, traced, strict=True) if drawn]
        if not changing:
            return jnp.asarray(draw(), like.dtype)
        kind = jax.ShapeDtypeStruct(shape, np.bool_)
        return jax.pure_callback(draw, kind, *changing).astype(like.dtype)


@lru_cache(maxsize=1024)
def _drawer(
    fixed: tuple[int, ...], traced: tuple[bool, ...], probability: float, shape: tuple[int, ...]
) -> Callable[..., Any]:
    """One function for equal arguments, so that equal programs stay equal."""

    def draw(*changing: Any) -> Any:
        rest = iter(changing)
        pairs = zip(fixed, traced, strict=True)
        key = tuple(int(next(rest)) if drawn else each for each, drawn in pairs)
        return host_bernoulli(key, probability, shape)

    return draw


def device_named(name: Any) -> Any:
    """A device by the name of its platform and its number: `"cpu"`, `"gpu:1"`."""
    if not isinstance(name, str):
        return name
    platform, _, number = name.partition(":")
    try:
        return jax.devices(platform)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError) as error:
        known = ", ".join(f"{each.platform}:{each.id}" for each in jax.devices())
        raise ParameterError(f"JAX has no device {name!r}; choices: {known}") from error


ops: Namespace = complete(Functions(), nn=Neural(), random=RandomArrays())
