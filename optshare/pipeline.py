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
    HyperparameterError,
    NonFiniteGradientError,
    ParameterError,
)
from optshare.norms import first_nonfinite
from optshare.registry import host_copy
from optshare.rules.base import Rule
from optshare.rules.transform import Given, Transform, Transformed
from optshare.rules.values import by_last_part, scheduled_or
from optshare.state import IdentityStore
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
    """Empty if nothing is to be updated this time."""
    kept: list[Kept]
    factor: float = 1.0
    """What all gradients are multiplied by, beside their own scales."""


class Pipeline:
    """Transforms in their order.

    Args:
        transforms: unbound ones.
        kept: what each of them keeps; by default what it begins with.
    """

    def __init__(
        self, transforms: Iterable[Transform] = (), kept: list[Kept] | None = None
    ) -> None:
        self.transforms = tuple(transforms)
        self.kept = [begun(each) for each in self.transforms] if kept is None else kept

    def reset(self) -> None:
        """Forget what is kept."""
        self.kept = [begun(each) for each in self.transforms]

    def adjusted(
        self, changes: dict[str, Any], rules: list[Rule]
    ) -> tuple[dict[str, Any], Pipeline]:
        """What of some changes is the rules', and the transforms with the rest.

        Raises:
            HyperparameterError: two transforms have a name, or a value is out of range.
        """
        own = [
            f"{at}.{each.kind}.{name}"
            for at, each in enumerate(self.transforms)
            for name in each.hyperparameters()
        ]
        of_rules = [name for each in rules for name in each.hyperparameters()]
        left: dict[str, Any] = {}
        found: list[dict[str, Any]] = [{} for _ in self.transforms]
        for name, value in changes.items():
            full = [] if by_last_part(of_rules, name) else by_last_part(own, name)
            if len(full) > 1:
                raise HyperparameterError(f"{name!r} is one of {', '.join(full)}; name it")
            if full:
                at, _, alone = full[0].split(".")
                found[int(at)][alone] = value
            else:
                left[name] = value
        pairs = zip(self.transforms, found, strict=True)
        return left, Pipeline((each.adjusted(**its) for each, its in pairs), self.kept)

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

    def require_all(self, is_whole: bool) -> None:
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
        factor = 1.0
        for transform, kept in zip(self.at(step), self.kept, strict=True):
            if factor != 1.0:
                given = [each._replace(scale=each.scale * factor) for each in given]
            present = {id(each.key) for each in given}
            absent = [key for key, _ in kept.arrays.items() if id(key) not in present]
            every = [*given, *(made(key) for key in absent)]
            if len(kept.arrays):
                every = [each._replace(kept=kept.arrays.get(each.key)) for each in every]
            found = transform.transform(every, dict(kept.numbers))
            new.append(_kept(found))
            factor = found.factor
            if not found.goes_on:
                return Passed([], new + self.kept[len(new) :])
            given = [
                each if each.kept is None else each._replace(kept=None)
                for each in found.given
                if each.gradient is not None
            ]
        return Passed(given, new, factor)

    def saved(self, binding: Binding, step: int) -> list[dict[str, Any]]:
        """What is kept, by path, in plain arrays and numbers."""
        return [
            {
                "kind": each.kind,
                "hyperparameters": each.at(step).hyperparameters(),
                "numbers": dict(kept.numbers),
                "arrays": {binding.path(key): host_copy(x) for key, x in kept.arrays.items()},
            }
            for each, kept in zip(self.transforms, self.kept, strict=True)
        ]

    def restored(self, binding: Binding, data: list[dict[str, Any]]) -> Pipeline:
        """The transforms with what `saved` gave; schedules are those that there are.

        Raises:
            CheckpointError: it belongs to other transforms.
        """
        given, wanted = [each["kind"] for each in data], [each.kind for each in self.transforms]
        if given != wanted:
            raise CheckpointError(f"the saved transforms are {given}, here they are {wanted}")
        pairs = zip(self.transforms, data, strict=True)
        transforms = [_with_numbers(each, its["hyperparameters"]) for each, its in pairs]
        kept = [_restored(binding, *each) for each in zip(self.kept, data, strict=True)]
        return Pipeline(transforms, kept)

    def _refused(self, bad: Given, policy: str, step: int) -> Passed:
        if policy == "raise":
            raise NonFiniteGradientError(
                f"the gradient of {bad.path!r} is not finite at step {step + 1}; nothing was "
                f"updated (nonfinite='skip' leaves such steps out, 'propagate' lets them through)"
            )
        return Passed([], self.kept)


def _of_held(binding: Binding, kept: Kept) -> Kept:
    held = [(key, array) for key, array in kept.arrays.items() if binding.holds(key)]
    return kept._replace(arrays=IdentityStore(held))


def begun(transform: Rule) -> Kept:
    """What a transform keeps at first."""
    return Kept(transform.at(0).initial_numbers(), IdentityStore())


def _with_numbers(transform: Transform, saved: dict[str, Any]) -> Transform:
    own = transform.hyperparameters()
    if set(saved) != set(own):
        raise CheckpointError(
            f"the saved hyperparameters of {transform.kind} are {sorted(saved)}, "
            f"here they are {sorted(own)}"
        )
    return transform.adjusted(**{name: scheduled_or(saved[name], own[name]) for name in own})


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
