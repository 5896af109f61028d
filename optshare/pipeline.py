"""The transforms of an optimizer, with what they keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from optshare.binding import Binding
from optshare.errors import (
    CheckpointError,
    DifferentiationError,
    NonFiniteGradientError,
    ParameterError,
)
from optshare.registry import host_copy
from optshare.rules.base import Rule
from optshare.rules.transform import Given, Transform, Transformed
from optshare.state import IdentityStore
from optshare.transforms.norms import first_nonfinite
from optshare.writing import beside

Made = Callable[[Any], Given]
"""What transforms are given of a parameter without a gradient."""


class Kept(NamedTuple):
    """What one transform keeps."""

    numbers: dict[str, float]
    arrays: IdentityStore
    """For some of the parameters, one array."""


class Passed(NamedTuple):
    """What has come through all transforms; nothing is changed yet."""

    given: list[Given]
    kept: list[Kept]
    goes_on: bool


class Pipeline:
    """Transforms in their order.

    Args:
        transforms: unbound ones.
    """

    def __init__(self, transforms: Iterable[Transform] = ()) -> None:
        self.transforms = tuple(transforms)
        self.kept = [begun(each) for each in self.transforms]

    def reset(self) -> None:
        """Forget what is kept."""
        self.kept = [begun(each) for each in self.transforms]

    def hold(self, binding: Binding) -> None:
        """Forget what is kept for parameters that are not held."""
        self.kept = [_of_held(binding, kept) for kept in self.kept]

    def loss_scale(self, step: int) -> float:
        """What the loss is to be multiplied by before it is differentiated."""
        pairs = zip(self.transforms, self.kept, strict=True)
        return math.prod(each.at(step).loss_scale(kept.numbers) for each, kept in pairs)

    def at(self, step: int) -> list[Transform]:
        """The transforms with numbers in place of schedules."""
        return [each.at(step) for each in self.transforms]

    @property
    def guards(self) -> bool:
        """Whether a transform looks after numbers that are not finite."""
        return any(each.guards for each in self.transforms)

    def require_no_function(self) -> None:
        """Raise `DifferentiationError` for a transform that needs the function itself."""
        for each in self.transforms:
            if each.needs_function:
                raise DifferentiationError(
                    f"{each.kind} takes gradients at other values, so it needs the function: "
                    f"call opt.step(fn, *args)"
                )

    def require_none(self, is_whole: bool) -> None:
        """Raise `ParameterError` for a part of the gradients, where a transform needs all."""
        if self.transforms and not is_whole:
            raise ParameterError(
                f"{self.transforms[0].kind} needs all gradients at once: call "
                f"opt.update(gradients) or opt.step(fn, *args), not opt.update(w, g)"
            )

    def passed(self, given: list[Given], made: Made, policy: str, step: int) -> Passed:
        """The gradients after all transforms.

        Args:
            given: the parameters that have a gradient.
            made: gives what there is of other parameters, for which something is kept.
            policy: what to do about gradients that are not finite, unless a transform does.
            step: the optimizer's step, from 0.

        Raises:
            NonFiniteGradientError: a gradient is not finite, and the policy is `"raise"`.
        """
        if policy != "propagate" and not self.guards:
            bad = first_nonfinite(given)
            if bad is not None:
                return self._refused(bad, policy, step)
        new: list[Kept] = []
        for transform, kept in zip(self.at(step), self.kept, strict=True):
            present = {id(each.key) for each in given}
            absent = [key for key, _ in kept.arrays.items() if id(key) not in present]
            every = [*given, *(made(key) for key in absent)]
            if len(kept.arrays):
                every = [each._replace(kept=kept.arrays.get(each.key)) for each in every]
            found = transform.transform(every, dict(kept.numbers))
            new.append(_kept(found))
            if not found.goes_on:
                return Passed([], new + self.kept[len(new) :], goes_on=False)
            given = [each._replace(kept=None) for each in found.given if each.gradient is not None]
        return Passed(given, new, goes_on=True)

    def saved(self, binding: Binding) -> list[dict[str, Any]]:
        """What is kept, by path, in plain arrays and numbers."""
        return [
            {
                "kind": each.kind,
                "numbers": dict(kept.numbers),
                "arrays": {binding.path(key): host_copy(x) for key, x in kept.arrays.items()},
            }
            for each, kept in zip(self.transforms, self.kept, strict=True)
        ]

    def restored(self, binding: Binding, data: list[dict[str, Any]]) -> list[Kept]:
        """What `saved` gave, to be kept; nothing is changed.

        Raises:
            CheckpointError: it belongs to other transforms.
        """
        given, wanted = [each["kind"] for each in data], [each.kind for each in self.transforms]
        if given != wanted:
            raise CheckpointError(f"the saved transforms are {given}, here they are {wanted}")
        return [_restored(binding, *each) for each in zip(self.kept, data, strict=True)]

    def _refused(self, bad: Given, policy: str, step: int) -> Passed:
        if policy == "raise":
            raise NonFiniteGradientError(
                f"the gradient of {bad.path!r} is not finite at step {step + 1}; nothing was "
                f"updated (nonfinite='skip' leaves such steps out, 'propagate' lets them through)"
            )
        return Passed([], self.kept, goes_on=False)


def _of_held(binding: Binding, kept: Kept) -> Kept:
    held = [(key, array) for key, array in kept.arrays.items() if binding.holds(key)]
    return kept._replace(arrays=IdentityStore(held))


def begun(transform: Rule) -> Kept:
    """What a transform keeps at first."""
    initial = transform.initial_values()
    numbers = {name: float(initial.get(name, 0.0)) for name in transform.scalar_names()}
    return Kept(numbers, IdentityStore())


def _restored(binding: Binding, own: Kept, data: dict[str, Any]) -> Kept:
    if set(own.numbers) != set(data["numbers"]):
        raise CheckpointError(
            f"the saved numbers of {data['kind']} are {sorted(data['numbers'])}, "
            f"here they are {sorted(own.numbers)}"
        )
    arrays: list[tuple[Any, Any]] = []
    for path, x in data["arrays"].items():
        key = binding.key_at(path)
        if np.shape(x) != tuple(key.shape):
            raise CheckpointError(
                f"{path!r}: the saved array of {data['kind']} has shape {np.shape(x)}, "
                f"the parameter {tuple(key.shape)}"
            )
        arrays.append((key, beside(key, np.array(x))))
    return Kept(
        {name: float(each) for name, each in data["numbers"].items()}, IdentityStore(arrays)
    )


def _kept(found: Transformed) -> Kept:
    arrays = [(each.key, each.kept) for each in found.given if each.kept is not None]
    return Kept(found.numbers, IdentityStore(arrays))
