"""Gradients of several batches as one."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from optshare.errors import HyperparameterError
from optshare.norms import worked
from optshare.rules.base import require_whole
from optshare.rules.transform import Given, Transform, Transformed

REDUCTIONS = ("mean", "sum")


class Accumulate(Transform):
    """Update once in every so many steps, with the mean or the sum of their gradients.

        total += g;  at every `every`-th step: g = total / every (mean) or total (sum), total = 0

    A parameter without a gradient in some of the steps adds nothing there; without one in
    all of them it is not updated. The steps between count neither for schedules nor for the
    rule.

    Args:
        every: how many gradients make one, at least 1.
        reduction: `"mean"` or `"sum"`.

    Raises:
        HyperparameterError: a value out of range.

    Source: `optax.MultiSteps`

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([0.0])
    >>> rule = optshare.OptimizerChain(Accumulate(every=2), optshare.SGD(lr=1.0))
    >>> opt = optshare.Optimizer([w], rule)
    >>> opt.update([np.array([1.0])]); w
    Parameter(array([0.]))
    >>> opt.update([np.array([3.0])]); w
    Parameter(array([-2.]))
    """

    every: int = field(default=2, kw_only=False)
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "every")
        if self.reduction not in REDUCTIONS:
            raise HyperparameterError(
                f"Accumulate: reduction must be 'mean' or 'sum', not {self.reduction!r}"
            )

    def scalar_names(self) -> tuple[str, ...]:
        """How many gradients there have been since the last update."""
        return ("count",)

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The sums so far, or every so many steps the gradients made of them."""
        count = numbers["count"] + 1
        totals = [each._replace(gradient=None, scale=1.0, kept=_total(each)) for each in given]
        if count < self.every:
            return Transformed(totals, {"count": count}, goes_on=False)
        scale = 1 / count if self.reduction == "mean" else 1.0
        whole = [each._replace(gradient=each.kept, scale=scale, kept=None) for each in totals]
        return Transformed(whole, {"count": 0.0})


def _total(each: Given) -> Any:
    if each.gradient is None:
        return each.kept
    gradient = worked(each) * each.scale
    return gradient if each.kept is None else each.kept + gradient
