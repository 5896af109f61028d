"""Muon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from optshare.errors import HyperparameterError
from optshare.orientation import Fans, Site, first_in, first_out
from optshare.rules.array import ArrayRule, at_least, correction, counted
from optshare.rules.base import Arrays, Number, Rule, shrunk

LAYOUTS = {"in_out": first_in(2), "out_in": first_out(2)}
BUFFERS = "average", "sum", "corrected"
ADJUSTMENTS = "original", "match_rms_adamw"


class Muon(ArrayRule):
    """Momentum made orthogonal, for weights that are matrices, as in PyTorch.

        m = momentum * m + (1 - momentum) * g
        u = momentum * m + (1 - momentum) * g    (nesterov)
        u = m                                    (else)
        x = u / max(|u|, eps)
        x = a * x + (b * x @ x.T + c * (x @ x.T) @ (x @ x.T)) @ x    (ns_steps times)
        value -= lr * weight_decay * value
        value -= lr * scale * x

    The scale is `sqrt(max(1, out / in))`, or, to match the steps of AdamW,
    `0.2 * sqrt(max(in, out))`, of the fans of the weight. The layer tells which axes are its
    inputs and outputs; those of a convolution are joined to a matrix of (out, in * window). What
    is no matrix (biases, embeddings, the weights of normalisations) takes the fallback, which
    keeps its own state and its own lr.

    Args:
        lr: the learning rate, at least 0.
        weight_decay: decoupled decay, at least 0.
        momentum: in [0, 1).
        nesterov: look ahead.
        ns_coefficients: a, b and c.
        eps: the least norm to divide by, at least 0.
        ns_steps: how many times the polynomial is applied, from 0 to 99.
        adjust_lr_fn: the scale, `"original"` or `"match_rms_adamw"`.
        buffer: `"average"` keeps m as above; `"sum"`, as in Keras,
            `m = momentum * m + g; u = g + momentum * m`; `"corrected"`, as in optax, divides the
            average by `1 - momentum**t`, under nesterov m by `1 - momentum**(t + 1)` and g by
            `1 - momentum**t`.
        eps_added: divide by `|u| + eps`, as Keras and optax do.
        layout: the axes of a matrix that no layer owns, `"in_out"` as in Dense or `"out_in"`; or
            the axes of the inputs and those of the outputs, as `((0,), (1, 2))`. Any others count
            matrices. A bound rule has here what was found for its parameter.
        fallback: the unbound rule for what is no matrix, such as `AdamW(lr=3e-4)`; there is none
            by default, for the learning rates of the two differ.

    It computes in the parameter's dtype, and in float32 for half precision; PyTorch always in
    bfloat16. The state array has PyTorch's name: `momentum_buffer` is m.

    Raises:
        HyperparameterError: a value out of range; when bound, something is no matrix and
            there is no fallback.

    Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024,
    https://kellerjordan.github.io/posts/muon/; the other scale: Liu et al., Muon is Scalable for
    LLM Training, 2025, https://arxiv.org/abs/2502.16982

    >>> import numpy as np, optshare
    >>> rule = optshare.Muon(lr=1.0, weight_decay=0.0)
    >>> value, gradient = np.zeros((2, 2)), np.array([[0.0, 8.0], [8.0, 0.0]])
    >>> state = rule.initial_state(np, value, optshare.rules.Site(0, "w"))
    >>> rule.array_step(np, value, gradient, state, 1)[1].round(4)
    array([[0.    , 1.1081],
           [1.1081, 0.    ]])
    """

    lr: Number = 1e-3
    weight_decay: Number = 0.1
    momentum: Number = 0.95
    nesterov: bool = True
    ns_coefficients: tuple[Number, Number, Number] = (3.4445, -4.7750, 2.0315)
    eps: Number = 1e-7
    ns_steps: int = 5
    adjust_lr_fn: str = "original"
    buffer: str = "average"
    eps_added: bool = False
    layout: str | Fans = "in_out"
    fallback: Rule | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.layout, str):
            object.__setattr__(self, "layout", tuple(map(tuple, self.layout)))
        _require_choice("adjust_lr_fn", self.adjust_lr_fn, ADJUSTMENTS)
        _require_choice("buffer", self.buffer, BUFFERS)
        if not isinstance(self.ns_steps, int) or not 0 <= self.ns_steps < 100:  # pyright: ignore[reportUnnecessaryIsInstance] # of a user
            raise HyperparameterError(
                f"Muon: ns_steps must be a whole number from 0 to 99, not {self.ns_steps!r}"
            )

    def _require_kind(self, name: str, value: Any, default: Any) -> None:
        if name == "layout":
            _require_layout(value)
        elif name != "fallback":
            super()._require_kind(name, value, default)
        elif not (value is None or isinstance(value, Rule)):
            raise HyperparameterError(
                f"Muon: fallback must be an unbound rule, such as AdamW(lr=3e-4), not {value!r}"
            )

    def for_parameter(self, site: Site, shape: Sequence[int | None]) -> Rule:
        """The rule with the axes of a matrix, or the fallback."""
        fans = _assumed(self.layout, len(shape)) if site.fans is None else site.fans
        if fans is not None and all(fans):
            return replace(self, layout=fans, fallback=None)
        if self.fallback is not None:
            return self.fallback.for_parameter(site, shape)
        raise HyperparameterError(
            f"Muon updates matrices, and {site.path!r} of shape {tuple(shape)} is none; "
            f"say by which rule it is updated: Muon(..., fallback=AdamW(lr=3e-4))"
        )

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """The buffer begins as zeros."""
        return {"momentum_buffer": ops.zeros_like(value)}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new buffer, and the step."""
        m, u = self._momentum(ops, gradient, state["momentum_buffer"], counted(ops, t, value))
        if 0 in value.shape:
            return {"momentum_buffer": m}, u
        fans = self._fans(tuple(value.shape))
        counts = tuple(math.prod(value.shape[axis] for axis in axes) for axes in fans)
        x = self._orthogonal(ops, _matrices(ops, u, fans, counts))
        step = self.lr * self._scale(*counts) * _restored(ops, x, value.shape, fans)
        return {"momentum_buffer": m}, shrunk(step, value, self.lr, self.weight_decay)

    def _momentum(self, ops: Any, g: Any, m: Any, t: Any) -> tuple[Any, Any]:
        """The new buffer, and the direction."""
        keep = self.momentum
        entering = g if self.buffer == "sum" else (1 - keep) * g
        m = keep * m + entering
        if self.buffer != "corrected":
            return m, entering + keep * m if self.nesterov else m
        if not self.nesterov:
            return m, m / correction(ops, keep, t)
        later, now = correction(ops, keep, t + 1), correction(ops, keep, t)
        return m, keep * (m / later) + entering / now

    def _fans(self, shape: tuple[int, ...]) -> Fans:
        fans = _assumed(self.layout, len(shape))
        if fans is None:
            raise HyperparameterError(
                f"Muon: the layout {self.layout!r} does not fit an array of shape {shape}"
            )
        return fans

    def _orthogonal(self, ops: Any, x: Any) -> Any:
        """Each of some matrices with its singular values near 1."""
        wide = x.shape[-2] <= x.shape[-1]
        x = x if wide else ops.matrix_transpose(x)
        size = ops.sqrt(ops.sum(x * x, axis=(-2, -1), keepdims=True))
        x = x / (size + self.eps if self.eps_added else at_least(ops, size, self.eps))
        a, b, c = self.ns_coefficients
        for _ in range(self.ns_steps):
            gram = ops.matmul(x, ops.matrix_transpose(x))
            x = a * x + ops.matmul(b * gram + c * ops.matmul(gram, gram), x)
        return x if wide else ops.matrix_transpose(x)

    def _scale(self, fan_in: int, fan_out: int) -> float:
        if self.adjust_lr_fn == "original":
            return math.sqrt(max(1.0, fan_out / fan_in))
        return 0.2 * math.sqrt(max(fan_in, fan_out))


def _assumed(layout: str | Fans, ndim: int) -> Fans | None:
    """The axes that a layout gives an array; `None` where it does not fit."""
    if isinstance(layout, str):
        return LAYOUTS[layout] if ndim == 2 else None
    return layout if max(max(axes) for axes in layout) < ndim else None


def _matrices(ops: Any, x: Any, fans: Fans, counts: tuple[int, ...]) -> Any:
    """An array as (matrices, in, out)."""
    return ops.reshape(ops.permute_dims(x, _order(x.ndim, fans)), (-1, *counts))


def _restored(ops: Any, matrices: Any, shape: Sequence[int], fans: Fans) -> Any:
    """What `_matrices` took apart."""
    order = _order(len(shape), fans)
    x = ops.reshape(matrices, tuple(shape[axis] for axis in order))
    return ops.permute_dims(x, tuple(order.index(axis) for axis in range(len(shape))))


def _order(ndim: int, fans: Fans) -> tuple[int, ...]:
    """The axes, those that count matrices first, then inputs, then outputs."""
    joined = fans[0] + fans[1]
    return *(axis for axis in range(ndim) if axis not in joined), *joined


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise HyperparameterError(f"Muon: {name} must be one of {choices}, not {value!r}")


def _require_layout(layout: Any) -> None:
    if isinstance(layout, str) and layout in LAYOUTS:
        return
    try:
        ins, outs = map(tuple, layout)
        axes = [*ins, *outs]
        fits = all(isinstance(each, int) and each >= 0 for each in axes) and ins and outs
    except (TypeError, ValueError):
        fits, axes = False, []
    if not fits or len(set(axes)) < len(axes):
        raise HyperparameterError(
            f"Muon: layout must be 'in_out', 'out_in', or the axes of the inputs and those of "
            f"the outputs, such as ((0,), (1,)), not {layout!r}"
        )
