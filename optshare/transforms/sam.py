"""Sharpness-aware minimisation."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any, ClassVar

from optshare.norms import global_norm, worked
from optshare.rules.base import Number
from optshare.rules.transform import Given, Transform, Transformed


class SAM(Transform):
    """Take the gradients at the worst point nearby: sharpness-aware minimisation.

        e = rho * g / (|g| + 1e-12)                        over all parameters
        e = rho * value**2 * g / (|abs(value) * g| + 1e-12)    (adaptive)
        the gradients are those at value + e

    Each step differentiates twice, so it needs the function: `opt.step(fn, *args)`. The
    loss that it gives is that at the values themselves.

    Args:
        rho: how far away, at least 0.
        adaptive: measure in units of each element's size (ASAM).

    Raises:
        HyperparameterError: a value out of range.

    Source: Foret et al., Sharpness-Aware Minimization, 2021, https://arxiv.org/abs/2010.01412;
    Kwon et al., ASAM, 2021, https://arxiv.org/abs/2102.11600

    >>> import optshare
    >>> w = optshare.Parameter([1.0])
    >>> rule = optshare.OptimizerChain(SAM(rho=0.5), optshare.SGD(lr=0.1))
    >>> opt = optshare.Optimizer([w], rule)
    >>> opt.step(lambda: (w * w).sum()); w
    np.float64(1.0)
    Parameter(array([0.7]))
    """

    needs_function = True
    _LIMITS: ClassVar = {**Transform._LIMITS, "rho": (0.0, math.inf)}

    rho: Number = field(default=0.05, kw_only=False)
    adaptive: bool = False

    def offsets(self, given: list[Given]) -> list[Any]:
        """The way to the worst point."""
        present = [self._weighted(each) for each in given]
        scale = self.rho / (global_norm(present) + 1e-12)
        return [self._offset(each, scale) for each in given]

    def _weighted(self, each: Given) -> Given:
        if not self.adaptive:
            return each
        return each._replace(gradient=each.ops.abs(each.value) * worked(each))

    def _offset(self, each: Given, scale: float) -> Any:
        way = worked(each) * (each.scale * scale)
        return each.value * each.value * way if self.adaptive else way

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The gradients, which were taken there."""
        return Transformed(given, {})
