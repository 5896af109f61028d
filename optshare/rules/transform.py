"""Transform: what acts on all gradients at once, before the rule."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from optshare.narrowing import is_sequence
from optshare.rules.base import Rule


class Given(NamedTuple):
    """A parameter's gradient on its way to the rule; in effect `scale * gradient`."""

    key: Any
    """What has the parameter's identity."""
    path: str
    ops: Any
    """The array functions of the gradient's memory."""
    value: Any
    """The parameter's array, which must not be written into."""
    gradient: Any
    """An array that must not be written into; `None` if there is none this time."""
    scale: float = 1.0
    kept: Any = None
    """What the transform kept for this parameter: an array or `None`."""


class Transformed(NamedTuple):
    """What a transform gives."""

    given: list[Given]
    numbers: dict[str, float]
    """What it keeps, by the names of `scalar_names`."""
    goes_on: bool = True
    """Whether the parameters are updated this time."""
    factor: float = 1.0
    """What all gradients are multiplied by, beside their own scales."""


class Transform(Rule):
    """An action on all gradients at once: `(gradients, numbers) -> (gradients, numbers)`.

    A subclass annotates its hyperparameters with their defaults, which may be schedules,
    and defines `transform`. Transforms stand before all rules of a chain.

    >>> class Halved(Transform):
    ...     def transform(self, given, numbers):
    ...         return Transformed(given, {}, factor=0.5)
    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.0])
    >>> chain = optshare.OptimizerChain(Halved(), optshare.SGD(lr=1.0))
    >>> optshare.Optimizer([w], chain).update([np.array([1.0])])
    >>> w
    Parameter(array([0.5]))
    """

    guards: ClassVar[bool] = False
    """Whether it looks after gradients that are NaN or infinite."""
    needs_function: ClassVar[bool] = False
    """Whether it has `offsets`, at which the function is differentiated again."""

    def is_separate(self) -> bool:
        """It sees all gradients."""
        return False

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The gradients as the next transform or the rule gets them.

        Args:
            given: every parameter that has a gradient, or for which something is kept.
            numbers: what was kept last, at first `initial_values`.
        """
        raise NotImplementedError

    def loss_scale(self, numbers: dict[str, float]) -> float:
        """What the loss is to be multiplied by before it is differentiated."""
        return 1.0

    def offsets(self, given: list[Given]) -> list[Any]:
        """How far from its value each parameter's gradient is to be taken again."""
        raise NotImplementedError


def require_transforms(given: Any) -> tuple[Transform, ...]:
    """What a user gives as a list of transforms.

    Raises:
        TypeError: it is no list, or has a rule in it that acts on one parameter at a time.
    """
    listed = tuple(given) if is_sequence(given) else (given,)
    for each in listed:
        if not (is_sequence(given) and isinstance(each, Transform)):
            raise TypeError(
                f"transforms must be a list of such as ClipGlobalNorm(1.0), not {given!r}; what "
                f"acts on one parameter at a time stands in an OptimizerChain"
            )
    return listed
