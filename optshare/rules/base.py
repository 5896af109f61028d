"""Rule: the pure mathematics of an update, with its hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from optshare.dtypes import is_complex
from optshare.errors import HyperparameterError, choices
from optshare.narrowing import is_sequence
from optshare.orientation import Site
from optshare.parameter import is_array
from optshare.pure.form import PureForm
from optshare.rules.dialects import in_dialect
from optshare.rules.values import (
    as_number,
    has_array,
    is_given,
    is_one,
    is_real,
    is_scheduled,
    is_set,
    parts,
)

Arrays = dict[str, Any]
Number = Any
"""A float, or a schedule of floats: what a hyperparameter may be given."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
@dataclass(frozen=True, kw_only=True)
class Rule(PureForm):
    """An element-wise update: `(state, value, gradient) -> (state, step)`.

    A subclass annotates its hyperparameters with their defaults, names its state
    arrays in `state_names`, and defines the one method `step`; it becomes a
    frozen dataclass. A number among the fields may differ from parameter to
    parameter, and may be a schedule, a function of the optimizer's step; a bool
    or string is an option. `dialect`, the name of a framework, gives every
    hyperparameter that is not named the value that makes the rule compute what the
    framework's own one computes (docs/rules.md); it is no hyperparameter itself.

    >>> class Sign(Rule):
    ...     lr: float = 0.1
    ...     def step(self, value, gradient, state, t):
    ...         return {}, self.lr * sign(gradient)
    >>> import numpy as np, optshare
    >>> from optshare.rules import sign
    >>> w = optshare.Parameter([1., 2.])
    >>> optshare.Optimizer([w], Sign()).update([np.array([3., -4.])])
    >>> w
    Parameter(array([0.9, 2.1]))
    """

    stands_last: ClassVar[bool] = False
    """Whether in a chain only rules stand behind this one of which that is true too."""

    if TYPE_CHECKING:  # an argument of every rule, kept by none
        dialect: str = ""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True, repr=False)(cls)
        cls.__init__ = _with_dialect(cls.__init__)

    def __repr__(self) -> str:
        shown = (
            f"{each.name}={getattr(self, each.name)!r}"
            for each in sorted(fields(self), key=lambda each: each.name != "lr")
            if each.name == "lr" or getattr(self, each.name) != each.default
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def state_names(self) -> tuple[str, ...]:
        """The arrays that the rule keeps for a parameter, shaped like it."""
        return ()

    def scalar_names(self) -> tuple[str, ...]:
        """The numbers that the rule keeps for a parameter, on the host in float64."""
        return ()

    def initial_values(self) -> dict[str, Any]:
        """What the state begins with, by name, where not with 0: a number, or `"value"`."""
        return {}

    def initial_numbers(self) -> dict[str, float]:
        """What the numbers of the state begin with, by name."""
        initial = self.initial_values()
        return {name: float(initial.get(name, 0.0)) for name in self.scalar_names()}

    def copied_names(self) -> tuple[str, ...]:
        """The arrays that begin as copies of the parameter's value."""
        return tuple(name for name, each in self.initial_values().items() if each == "value")

    def begin(self, ops: Any, value: Any, dtype: Any, site: Any) -> Arrays:
        """The state before the first step: arrays shaped like the value, and numbers."""
        initial, state = self.initial_values(), dict[str, Any](self.initial_numbers())
        for name in self.state_names():
            begins = initial.get(name, 0.0)
            if begins == "value":
                begins = ops.astype(value, dtype)
            elif self.complex_as_reals and is_complex(dtype):
                begins = complex(begins, begins)
            state[name] = ops.zeros_like(value, dtype=dtype)
            if is_array(begins) or begins:
                state[name] += begins
        return state

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new state, and the step: what is subtracted from the value.

        Args:
            value: the parameter's array.
            gradient: its gradient.
            state: the arrays of `state_names` and the numbers of `scalar_names`.
            t: how many updates this parameter has had, with this one.

        Written in operators and the functions of `optshare.rules`; a
        hyperparameter that is 0 is false, which decides what is recorded; a
        scheduled one is true, even where it is 0 at a step.
        """
        raise NotImplementedError

    def for_parameter(self, site: Site, shape: Sequence[int | None]) -> Rule:
        """The rule for one parameter of a model, asked once when an optimizer binds.

        Args:
            site: where the parameter stands.
            shape: of the parameter, with `None` for a size that is not known yet.

        Raises:
            HyperparameterError: the rule cannot update such a parameter.
        """
        return self

    def evaluation(self, value: Any, state: Arrays, t: Any) -> Any:
        """The value to evaluate and keep after training, where that is another; else `None`.

        Args:
            value: the parameter's array, as training left it.
            state: the arrays and numbers that the last update left.
            t: how many updates this parameter has had, at least 1.

        Written in operators, for the arrays of any engine.
        """
        return None

    _LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        "lr": (0.0, math.inf),
        "eps": (0.0, math.inf),
        "weight_decay": (0.0, math.inf),
        "momentum": (0.0, 1.0),
        "betas": (0.0, 1.0),
        "alpha": (0.0, 1.0),
        "dampening": (0.0, 1.0),
        "eps_root": (0.0, math.inf),
        "initial_accumulator_value": (0.0, math.inf),
        "lr_decay": (0.0, math.inf),
        "momentum_decay": (0.0, math.inf),
        "rho": (0.0, 1.0),
        "step_sizes": (0.0, math.inf),
        "max_value": (0.0, math.inf),
        "max_norm": (0.0, math.inf),
        "clipping": (0.0, math.inf),
        "eta": (0.0, math.inf),
        "gamma": (0.0, math.inf),
        "seed": (0.0, 2.0**63),
        "decay": (0.0, 1.0),
        "k": (1.0, math.inf),
        "start": (0.0, math.inf),
        "every": (1.0, math.inf),
        "most": (0.0, math.inf),
        "warmup_steps": (0.0, math.inf),
        "weight_lr_power": (0.0, math.inf),
        "r": (0.0, math.inf),
    }

    def __post_init__(self) -> None:
        for each in fields(self):
            self._require_kind(each.name, getattr(self, each.name), each.default)
            self._require_range(each.name, getattr(self, each.name))

    def _require_kind(self, name: str, value: Any, default: Any) -> None:
        if is_sequence(default):
            fits = is_sequence(value) and len(value) == len(default)
            fits = fits and all(map(is_given, value, default))
            wanted = f"{len(default)} numbers"
        elif isinstance(default, bool | str):
            fits, wanted = isinstance(value, type(default)), f"a {type(default).__name__}"
        else:
            fits, wanted = is_set(value), "a number"
        if not fits:
            raise HyperparameterError(
                f"{type(self).__name__}: {name} must be {wanted}, not {value!r}"
            )

    def _require_range(self, name: str, value: Any) -> None:
        low, high = self._LIMITS.get(name, (-math.inf, math.inf))
        for each in parts(value):
            if is_real(each) and not low <= each < high:
                raise HyperparameterError(
                    f"{type(self).__name__}: {name} must be in [{low:g}, {high:g}), not {value!r}"
                )

    @property
    def kind(self) -> str:
        """The rule's name, which a saved state must have as well."""
        return type(self).__name__

    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters and options by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def at(self, step: Any) -> Self:
        """The rule with the number that each schedule gives at a step.

        Args:
            step: how many steps the optimizer has taken before; it may be traced.

        Raises:
            HyperparameterError: a schedule gives no number, or one out of range.

        >>> from optshare.rules import SGD
        >>> SGD(lr=lambda step: 0.1 / (1 + step)).at(1).lr
        0.05
        """
        scheduled = {n: v for n, v in self.hyperparameters().items() if is_scheduled(v)}
        if not scheduled:
            return self
        now = copy(self)
        for name, value in scheduled.items():
            object.__setattr__(now, name, self._numbers_at(step, name, value))
        return now

    def _numbers_at(self, step: Any, name: str, value: Any) -> Any:
        if is_sequence(value):
            return tuple(self._numbers_at(step, name, each) for each in value)
        if not callable(value):
            return value
        given: Any = self._traced_at(step, name, value) if is_array(step) else value(step)
        number = as_number(given)
        if number is None and is_one(given):
            return given  # which is traced
        low, high = self._LIMITS.get(name, (-math.inf, math.inf))
        if number is None or not low <= number < high:
            raise HyperparameterError(
                f"{type(self).__name__}: {name} is {given!r} at step {step}, by its schedule "
                f"{value!r}; it must be a number in [{low:g}, {high:g})"
            )
        return number

    def _traced_at(self, step: Any, name: str, schedule: Any) -> Any:
        """What a schedule gives for a step whose number may not be known yet."""
        try:
            return schedule(step)
        except Exception as error:  # whatever a tracer raises where its number is asked for
            raise HyperparameterError(
                f"{type(self).__name__}: the schedule {schedule!r} of {name} takes no traced step "
                f"({type(error).__name__}); write it in the functions of the engine, or give its "
                f"number to each update: rule.update(gradients, state, params, {name}=...)"
            ) from error

    def given(self, **changes: Any) -> Self:
        """The rule with some hyperparameters changed, which may be arrays of no dimensions.

        Raises:
            HyperparameterError: a name that the rule does not have, or a value out of range.

        >>> import numpy as np
        >>> from optshare.rules import SGD
        >>> SGD(lr=0.1).given(lr=np.asarray(0.5)).lr
        array(0.5)
        """
        require_known(type(self), changes)
        arrays = {name: each for name, each in changes.items() if has_array(each)}
        for name, each in arrays.items():
            self._require_given(name, each)
        numbers = {name: each for name, each in changes.items() if name not in arrays}
        now = copy(self.adjusted(**numbers))
        for name, each in arrays.items():
            object.__setattr__(now, name, each)
        return now

    def _require_given(self, name: str, value: Any) -> None:
        own = getattr(self, name)
        fits = len(value) == len(own) if is_sequence(value) and is_sequence(own) else True
        fits = fits and is_sequence(value) == is_sequence(own) and not isinstance(own, bool | str)
        if not fits or not all(is_set(each) or is_one(each) for each in parts(value)):
            raise HyperparameterError(
                f"{type(self).__name__}: {name} must be like {own!r}, of numbers or arrays of no "
                f"dimensions, not {value!r}"
            )

    def adjusted(self, **changes: Any) -> Self:
        """The rule with some hyperparameters changed.

        Raises:
            HyperparameterError: a name that the rule does not have, or a value out of range.
        """
        require_known(type(self), changes)
        return replace(self, **changes)


def _with_dialect(init: Callable[..., None]) -> Callable[..., None]:
    """The same `__init__`, which may be told a dialect."""

    @wraps(init)
    def begin(self: Rule, *args: Any, dialect: str | None = None, **given: Any) -> None:
        told = given if dialect is None else in_dialect(type(self), dialect, given)
        init(self, *args, **told)

    return begin


def require_whole(rule: Rule, *names: str) -> None:
    """Raise `HyperparameterError` for a field that is no integer; a schedule is none."""
    for name in names:
        value = getattr(rule, name)
        if not (is_real(value) and float(value).is_integer()):
            raise HyperparameterError(
                f"{type(rule).__name__}: {name} must be an integer, not {value!r}"
            )


def require_known(rule: type[Rule], given: dict[str, Any]) -> None:
    """Raise `HyperparameterError` for a name that a rule does not have."""
    known = [each.name for each in fields(rule)]
    for name in given:
        if name not in known:
            raise HyperparameterError(
                f"{rule.__name__} has no hyperparameter {name!r}; choices: {choices(known, name)}"
            )


def shrunk(step: Any, value: Any, lr: Any, weight_decay: Any) -> Any:
    """The step plus `lr * weight_decay * value` (decoupled weight decay)."""
    return step + lr * weight_decay * value if weight_decay else step


def decayed(gradient: Any, value: Any, weight_decay: Any) -> Any:
    """The gradient of the loss plus `weight_decay / 2 * |value|**2` (L2 regularisation)."""
    return gradient + weight_decay * value if weight_decay else gradient
