"""Scaling the loss, so that gradients in half precision do not vanish."""

from __future__ import annotations

import math
from dataclasses import field

from optshare.errors import HyperparameterError
from optshare.norms import first_nonfinite
from optshare.rules.base import Number
from optshare.rules.transform import Given, Transform, Transformed


class LossScale(Transform):
    """Multiply the loss by a constant before it is differentiated, divide the gradients by it.

    `opt.step(fn)` does both. Where gradients come from elsewhere, they must be those of
    `opt.scaled(loss)`.

    Args:
        scale: the factor, above 0; a power of two changes no digit.

    Raises:
        HyperparameterError: a value out of range.

    Source: Micikevicius et al., Mixed Precision Training, 2018, https://arxiv.org/abs/1710.03740

    >>> import optshare
    >>> w = optshare.Parameter([3.0])
    >>> rule = optshare.OptimizerChain(LossScale(scale=8.0), optshare.SGD(lr=0.5))
    >>> opt = optshare.Optimizer([w], rule)
    >>> opt.step(lambda: (w * w).sum())
    np.float64(9.0)
    >>> w
    Parameter(array([0.]))
    """

    scale: Number = field(default=2.0**15, kw_only=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_above(self, "scale", 0.0)

    def loss_scale(self, numbers: dict[str, float]) -> float:
        """The constant."""
        return self.scale

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The gradients of the loss itself."""
        return Transformed(given, {}, factor=1 / self.scale)


class DynamicLossScale(Transform):
    """A loss scale that halves when a gradient overflows, and doubles after a while without.

    A step with a gradient that is not finite is left out.

    Args:
        init_scale: the first scale, above 0.
        growth_factor: what it is multiplied by after `growth_interval` good steps, above 1.
        backoff_factor: what it is multiplied by after a bad one, in (0, 1).
        growth_interval: how many good steps in a row make it grow, at least 1.

    Raises:
        HyperparameterError: a value out of range.

    Source: `torch.amp.GradScaler`, whose names and defaults these are

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.0])
    >>> rule = optshare.OptimizerChain(DynamicLossScale(), optshare.SGD(lr=1.0))
    >>> opt = optshare.Optimizer([w], rule)
    >>> opt.update([np.array([np.inf])]); opt.update([np.array([32768.0])])
    >>> w, opt.loss_scale
    (Parameter(array([0.])), 32768.0)
    """

    init_scale: float = 2.0**16
    growth_factor: float = 2.0
    backoff_factor: float = 0.5
    growth_interval: int = 2000

    guards = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_above(self, "init_scale", 0.0)
        _require_above(self, "growth_factor", 1.0)
        _require_above(self, "backoff_factor", 0.0, 1.0)
        _require_above(self, "growth_interval", 0.0)

    def scalar_names(self) -> tuple[str, ...]:
        """The scale, and how many good steps there have been since it changed."""
        return "scale", "good"

    def initial_values(self) -> dict[str, float]:
        """The first scale."""
        return {"scale": self.init_scale}

    def loss_scale(self, numbers: dict[str, float]) -> float:
        """The scale now."""
        return numbers["scale"]

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The gradients of the loss itself, unless one has overflowed."""
        scale, good = numbers["scale"], numbers["good"] + 1
        if first_nonfinite(given) is not None:
            smaller = {"scale": scale * self.backoff_factor, "good": 0.0}
            return Transformed(given, smaller, goes_on=False)
        kept = {"scale": scale, "good": good}
        if good >= self.growth_interval:
            kept = {"scale": scale * self.growth_factor, "good": 0.0}
        return Transformed(given, kept, factor=1 / scale)


def _require_above(rule: Transform, name: str, low: float, high: float = math.inf) -> None:
    value = getattr(rule, name)
    if not (callable(value) or low < value < high):
        raise HyperparameterError(
            f"{type(rule).__name__}: {name} must be in ({low:g}, {high:g}), not {value!r}"
        )
