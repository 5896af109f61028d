"""Steps left out where a gradient is NaN or infinite."""

from __future__ import annotations

from dataclasses import field

from optshare.errors import NonFiniteGradientError
from optshare.norms import first_nonfinite
from optshare.rules.base import require_whole
from optshare.rules.transform import Given, Transform, Transformed


class SkipNonFinite(Transform):
    """Leave out a step with a gradient that is NaN or infinite; raise after too many in a row.

    Args:
        most: how many steps in a row may be left out; the next raises.

    Raises:
        HyperparameterError: a value out of range.

    Source: `optax.apply_if_finite`, which goes on with the bad gradients instead of raising

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([0.0])
    >>> rule = optshare.OptimizerChain(SkipNonFinite(most=1), optshare.SGD())
    >>> opt = optshare.Optimizer([w], rule)
    >>> opt.update([np.array([np.nan])]); w, opt.steps
    (Parameter(array([0.])), 0)
    >>> opt.update([np.array([np.nan])])
    Traceback (most recent call last):
    optshare.errors.NonFiniteGradientError: the gradient of '0' is not finite, and 1 steps in \
a row have been left out before; nothing was updated
    """

    most: int = field(default=10, kw_only=False)

    guards = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "most")

    def scalar_names(self) -> tuple[str, ...]:
        """How many steps in a row were left out."""
        return ("in_a_row",)

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The gradients, if all are finite."""
        bad = first_nonfinite(given)
        if bad is None:
            return Transformed(given, {"in_a_row": 0.0})
        in_a_row = numbers["in_a_row"] + 1
        if in_a_row > self.most:
            raise NonFiniteGradientError(
                f"the gradient of {bad.path!r} is not finite, and {self.most:g} steps in a row "
                f"have been left out before; nothing was updated"
            )
        return Transformed(given, {"in_a_row": in_a_row}, goes_on=False)
