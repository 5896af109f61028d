"""Hooks: functions that see, and may replace, a cotangent in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optshare.extend import DifferentiationError
from optshare_arrays.devices import converted, is_on_device
from optshare_arrays.parts import turned
from optshare_arrays.primitives import Plan, Traceable, plain

Hook = Callable[[Any], Any]


class Handle:
    """A registered hook, until `remove()`."""

    __slots__ = ("_hooks", "_key")

    def __init__(self, hooks: dict[object, Hook], key: object) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Let the hook be called no more."""
        self._hooks.pop(self._key, None)


class Hooks:
    """The hooks of one value, in the order in which they were registered."""

    __slots__ = ("_hooks",)

    def __init__(self) -> None:
        self._hooks: dict[object, Hook] = {}

    def register(self, hook: Hook) -> Handle:
        """Add a hook, `hook(g)`; what it gives, unless `None`, replaces g."""
        key = object()
        self._hooks[key] = hook
        return Handle(self._hooks, key)

    def applied(self, cotangent: Any) -> Any:
        """A cotangent as users have it after all hooks; each is called with an array of its own."""
        for hook in list(self._hooks.values()):
            replaced = hook(_own(cotangent, cotangent))
            if replaced is not None:
                cotangent = _fitting(replaced, cotangent)
        return cotangent


def _own(array: Any, like: Any) -> Any:
    """An array that nobody else holds, where the cotangent is; a tracked value is never written."""
    if isinstance(array, Traceable):
        return array
    held = plain(like)
    return converted(array, held.dtype, held.device if is_on_device(held) else None).copy()


def _fitting(replaced: Any, cotangent: Any) -> Any:
    array = _own(replaced, cotangent)
    if array.shape != cotangent.shape:
        raise DifferentiationError(
            f"a hook gave a gradient of shape {array.shape} for one of shape {cotangent.shape}; "
            f"return one of the same shape, or None to leave it as it is"
        )
    return array


class _HookedPull:
    """The `pull` of a plan whose operation has hooks."""

    __slots__ = ("_plan", "hooks")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.hooks = Hooks()

    def __call__(
        self, places: Any, g: Any, ans: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Sequence[Any]:
        g, plan = turned(self.hooks.applied(turned(g))), self._plan
        if plan.pull is not None:
            return plan.pull(places, g, ans, args, kwargs)
        return [vjp(g, ans, *args, **kwargs) for vjp in plan.vjps]


def hooked(plan: Plan) -> tuple[Plan, Hooks]:
    """A plan that calls hooks first, and these."""
    if isinstance(plan.pull, _HookedPull):
        return plan, plan.pull.hooks
    pull = _HookedPull(plan)
    return plan.pulled_by(pull), pull.hooks
