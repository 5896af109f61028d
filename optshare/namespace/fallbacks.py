"""What a namespace that lacks a function uses instead: compositions of others.

Each takes the namespace first. A new backend gets every layer from these, and
overrides what it has faster.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.errors import MissingFunctionError
from optshare.namespace.activations import ACTIVATIONS
from optshare.namespace.arranging import ARRANGING
from optshare.namespace.convolution import conv, conv_transpose, max_pool, mean_pool
from optshare.namespace.protocol import Namespace
from optshare.namespace.recurrent import embedding, gru, lstm, scan
from optshare.narrowing import is_sequence


def stop_gradient(ops: Namespace, x: Any) -> Any:
    """Nothing to stop: the namespace's arrays are not tracked."""
    return x


def logsumexp(ops: Namespace, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))), shifted by the maximum."""
    top = ops.stop_gradient(ops.max(x, axis=axis, keepdims=True))
    top = ops.where(ops.isfinite(top), top, ops.zeros_like(top))
    total = ops.log(ops.sum(ops.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else ops.squeeze(total, axis=_axes(axis, x.ndim))


def square(ops: Namespace, x: Any) -> Any:
    """`x * x`."""
    return x * x


def real(ops: Namespace, x: Any) -> Any:
    """The real part of a real array, which is the array itself."""
    return _of_real("real", x)


def imag(ops: Namespace, x: Any) -> Any:
    """The imaginary part of a real array, which is 0."""
    return ops.zeros_like(_of_real("imag", x))


def conj(ops: Namespace, x: Any) -> Any:
    """The complex conjugate, from the two parts; a real array is its own."""
    return ops.real(x) - 1j * ops.imag(x) if _is_complex(x) else x


def _of_real(name: str, x: Any) -> Any:
    """x, if it is real; complex arrays need a function of the engine's own."""
    if _is_complex(x):
        raise MissingFunctionError(f"this backend's ops has no function {name!r} for {x.dtype}")
    return x


def _is_complex(x: Any) -> bool:
    return "complex" in str(x.dtype)


def relu(ops: Namespace, x: Any) -> Any:
    """max(x, 0), with derivative 0 at 0."""
    return ops.where(x > 0, x, ops.zeros_like(x))


def leaky_relu(ops: Namespace, x: Any, slope: float = 0.01) -> Any:
    """x where positive, slope * x elsewhere."""
    return ops.where(x > 0, x, slope * x)


def elu(ops: Namespace, x: Any, alpha: float = 1.0) -> Any:
    """x where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015)."""
    below = ops.where(x > 0, ops.zeros_like(x), x)
    return ops.where(x > 0, x, alpha * ops.expm1(below))


def selu(ops: Namespace, x: Any) -> Any:
    """The self-normalising elu (Klambauer et al. 2017)."""
    return 1.0507009873554805 * ops.nn.elu(x, 1.6732632423543772)


def sigmoid(ops: Namespace, x: Any) -> Any:
    """1 / (1 + exp(-x)), from whichever exponential cannot overflow."""
    zero = ops.zeros_like(x)
    above, below = ops.where(x > 0, x, zero), ops.where(x > 0, zero, x)
    small = ops.exp(below)
    return ops.where(x > 0, 1 / (1 + ops.exp(-above)), small / (1 + small))


def tanh(ops: Namespace, x: Any) -> Any:
    """The hyperbolic tangent."""
    return ops.tanh(x)


def silu(ops: Namespace, x: Any) -> Any:
    """x * sigmoid(x) (Elfwing et al. 2018)."""
    return x * ops.nn.sigmoid(x)


def softplus(ops: Namespace, x: Any) -> Any:
    """log(1 + exp(x)), which cannot overflow."""
    return ops.logaddexp(x, ops.zeros_like(x))


def gelu(ops: Namespace, x: Any) -> Any:
    """The Gaussian error linear unit, tanh form (Hendrycks and Gimpel 2016).

    The standard has no erf, of which the exact form is made; they differ by less than 0.0005.
    """
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + ops.tanh(inner))


def log_softmax(ops: Namespace, x: Any, *, axis: int = -1) -> Any:
    """x - logsumexp(x) along an axis."""
    return x - ops.logsumexp(x, axis=axis, keepdims=True)


def softmax(ops: Namespace, x: Any, *, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis."""
    return ops.exp(ops.nn.log_softmax(x, axis=axis))


def cross_entropy(ops: Namespace, scores: Any, labels: Any) -> Any:
    """The negative log-softmax of the scores at each label."""
    logs = ops.nn.log_softmax(scores)
    picked = ops.take_along_axis(logs, ops.asarray(labels[..., None]), axis=-1)
    return -ops.squeeze(picked, axis=-1)


def is_concrete(ops: Namespace, x: Any) -> bool:
    """The numbers of an array are known as soon as it is."""
    return True


def host_bernoulli(key: tuple[int, ...], probability: float, shape: tuple[int, ...]) -> Any:
    """Truths in NumPy's memory, each with a probability; equal for equal keys (Philox).

    >>> host_bernoulli((0, 1), 0.5, (4,)).tolist() == host_bernoulli((0, 1), 0.5, (4,)).tolist()
    True
    """
    bits = np.random.Philox(np.random.SeedSequence([int(each) for each in key]))
    return np.random.Generator(bits).random(shape) < probability


def bernoulli(ops: Namespace, key: tuple[int, ...], probability: float, like: Any) -> Any:
    """0 and 1, the latter with a probability, in the shape and dtype of an array.

    The same key gives the same numbers on every engine.
    """
    drawn = host_bernoulli(key, probability, tuple(like.shape))
    return ops.astype(ops.asarray(drawn), like.dtype)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(axis) if is_sequence(axis) else (axis,)


_CORE = stop_gradient, is_concrete, logsumexp, scan, square, real, imag, conj
CORE = {f.__name__: f for f in _CORE} | ARRANGING
NEURAL = {
    f.__name__: f
    for f in (
        relu,
        leaky_relu,
        elu,
        selu,
        sigmoid,
        tanh,
        silu,
        softplus,
        gelu,
        log_softmax,
        softmax,
        conv,
        conv_transpose,
        max_pool,
        mean_pool,
        *ACTIVATIONS,
        embedding,
        gru,
        lstm,
        cross_entropy,
    )
}
RANDOM = {"bernoulli": bernoulli}
