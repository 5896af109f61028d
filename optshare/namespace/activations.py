"""Activations that every namespace composes of its other functions, as `fallbacks`."""

from __future__ import annotations

from typing import Any

from optshare.namespace.protocol import Namespace


def celu(ops: Namespace, x: Any, alpha: float = 1.0) -> Any:
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere (Barron 2017)."""
    return alpha * ops.nn.elu(x / alpha)


def hardtanh(ops: Namespace, x: Any) -> Any:
    """x between -1 and 1."""
    return ops.clip(x, -1.0, 1.0)


def relu6(ops: Namespace, x: Any) -> Any:
    """relu(x), at most 6."""
    return ops.clip(ops.nn.relu(x), None, 6.0)


def hardsigmoid(ops: Namespace, x: Any) -> Any:
    """(x + 3) / 6 between 0 and 1."""
    return ops.clip(x + 3.0, 0.0, 6.0) / 6.0


def hardswish(ops: Namespace, x: Any) -> Any:
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    return x * ops.nn.hardsigmoid(x)


def softsign(ops: Namespace, x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (1 + ops.abs(x))


def logsigmoid(ops: Namespace, x: Any) -> Any:
    """log(sigmoid(x)), which cannot overflow."""
    return -ops.nn.softplus(-x)


def mish(ops: Namespace, x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return x * ops.tanh(ops.nn.softplus(x))


def tanhshrink(ops: Namespace, x: Any) -> Any:
    """x - tanh(x)."""
    return x - ops.tanh(x)


ACTIVATIONS = (
    celu,
    hardsigmoid,
    hardswish,
    hardtanh,
    logsigmoid,
    mish,
    relu6,
    softsign,
    tanhshrink,
)
