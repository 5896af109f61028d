"""Optimizer state, keyed by the identity of parameters."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from optshare.backend import placed
from optshare.kernels.beginning import begun
from optshare.kernels.reference import settled
from optshare.narrowing import is_numpy
from optshare.progress import Progress
from optshare.registry import host_copy
from optshare.rules.base import Rule
from optshare.rules.values import by_last_part


class ParameterState:
    """What an optimizer keeps for one parameter: its rule, its state, its progress.

    The hyperparameters read as attributes: `state.lr`, where it is a schedule the number
    that the last update used (before one, the number at step 0). The arrays are by name in
    `state.arrays`, the numbers in `state.scalars`; both are empty until the first update.
    """

    __slots__ = ("_arrays", "begun", "group", "master", "progress", "rule", "shape")

    def __init__(self, rule: Rule, group: str = "") -> None:
        self.progress = Progress()
        """The step count and the numbers; other parameters may share it."""
        self.rule = rule
        self.group = group
        """The name of the group that it is in; `""` for none."""
        self._arrays: dict[str, Any] = {}
        self.shape: tuple[int, ...] | None = None
        """The shape of the parameter at its last update."""
        self.begun: Rule | None = None
        """The rule that the arrays and numbers are of, all of them."""
        self.master: Any = None
        """The value in single precision, of a parameter in half precision, if it is kept."""

    @property
    def arrays(self) -> Mapping[str, Any]:
        """The state by name. Updates write into these arrays, and so may others."""
        return MappingProxyType(self._arrays)

    @arrays.setter
    def arrays(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = dict(arrays)

    @property
    def scalars(self) -> Mapping[str, float]:
        """The numbers of the state by name, on the host in float64."""
        return self.progress.scalars

    @scalars.setter
    def scalars(self, scalars: Mapping[str, float]) -> None:
        self.progress = self.progress.changed(scalars=MappingProxyType(dict(scalars)))

    @property
    def t(self) -> int:
        """How many updates there have been."""
        return self.progress.t

    @t.setter
    def t(self, t: int) -> None:
        self.progress = self.progress.changed(t=t)

    @property
    def step(self) -> int:
        """The optimizer's step of the last update, from 0; -1 before one."""
        return self.progress.step

    @step.setter
    def step(self, step: int) -> None:
        self.progress = self.progress.changed(step=step)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _ASSIGNED:
            raise AttributeError(name)
        known = {**self.numbers.hyperparameters(), **self.arrays, **self.scalars}
        found = by_last_part(known, name)
        if len(found) == 1:
            return known[found[0]]
        if not found and hasattr(self.rule, name):
            return getattr(self.rule, name)
        raise AttributeError(f"no {name!r} here; choices: {', '.join(found or known)}")

    @property
    def numbers(self) -> Rule:
        """The rule as the last update used it, with numbers in place of schedules."""
        return self.rule.at(max(self.step, 0))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _ASSIGNED:
            raise AttributeError(
                f"{name!r} is not assigned here; call opt.adjust(part, {name}=...)"
            )
        if name in _OF_ARRAYS:
            self.progress.is_current = False
        super().__setattr__(name, value)

    def __setstate__(self, data: tuple[Any, dict[str, Any]]) -> None:
        for name, each in data[1].items():
            super().__setattr__(name, each)

    def reset(self) -> None:
        """Forget the state and the step count."""
        self.arrays, self.scalars, self.t, self.begun, self.master = {}, {}, 0, None, None

    def fit(self, value: Any, ops: Any, working: Any, rule: Rule, site: Any) -> None:
        """Make the arrays fit a value: allocate, convert, bring them over, or start again.

        Args:
            value: the parameter's array, in the memory where its state belongs.
            ops: the array functions of that memory.
            working: the dtype of the state.
            rule: the rule of this step, with numbers in place of schedules.
            site: where the parameter stands.
        """
        if self.shape != (shape := tuple(value.shape)):
            if self.shape is not None:
                self.reset()
            self.shape = shape
        found = {
            name: settled(ops, brought(array, value, ops), working)
            for name, array in self._arrays.items()
        }
        if any(found[name] is not array for name, array in self._arrays.items()):
            self.arrays = found
        if self.begun is not self.rule:
            self._begin(value, ops, working, rule, site)

    def _begin(self, value: Any, ops: Any, working: Any, rule: Rule, site: Any) -> None:
        """Add what the rule needs and is not there; forget what it does not need."""
        fresh = begun(self.rule, rule, ops, value, working, site)
        numbers = self.rule.scalar_names()
        begin = {name: float(fresh.pop(name)) for name in numbers}
        self.scalars = {**begin, **{k: v for k, v in self.scalars.items() if k in begin}}
        self.arrays = {name: self.arrays.get(name, _array(each)) for name, each in fresh.items()}
        self.begun = self.rule

    def take(self, new: dict[str, Any]) -> None:
        """Keep the new arrays and numbers."""
        numbers = {name: float(new[name]) for name in self.scalars if name in new}
        if numbers:
            self.scalars = {**self.scalars, **numbers}
        if len(new) > len(numbers):
            found = {name: _array(each) for name, each in new.items() if name not in numbers}
            self.arrays = {**self._arrays, **found}

    def __repr__(self) -> str:
        return f"ParameterState({self.rule!r}, t={self.t}, arrays={sorted(self.arrays)})"


_OF_ARRAYS = frozenset({"arrays", "begun", "master", "rule", "shape"})
"""What compiled updates rely on."""
_ASSIGNED = frozenset({*ParameterState.__slots__, "arrays", "scalars", "step", "t"})


class IdentityStore:
    """A table from parameters to state, by identity.

    It holds keys weakly and checks that an entry still belongs to its key, for
    CPython reuses ids; it never asks keys whether they are equal; it copies and
    pickles as pairs, so that a copied model keeps its copied state.

    >>> from optshare.parameter import Parameter
    >>> one, same = Parameter([1.]), Parameter([1.])
    >>> store = IdentityStore()
    >>> store[one] = "state"
    >>> one in store, same in store
    (True, False)
    """

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        self._entries: dict[int, tuple[weakref.ref[Any], Any]] = {}
        for key, state in pairs:
            self[key] = state

    def __setitem__(self, key: Any, state: Any) -> None:
        place, own = id(key), weakref.ref(self)

        def forget(reference: weakref.ref[Any]) -> None:
            store = own()
            if store is not None and store._entries.get(place, (None,))[0] is reference:
                del store._entries[place]

        self._entries[place] = weakref.ref(key, forget), state

    def __getitem__(self, key: Any) -> Any:
        reference, state = self._entries.get(id(key), (None, None))
        if reference is None or reference() is not key:
            raise KeyError(key)
        return state

    def __contains__(self, key: Any) -> bool:
        reference = self._entries.get(id(key), (None,))[0]
        return reference is not None and reference() is key

    def get(self, key: Any) -> Any:
        """The state of a key, or `None`."""
        reference, state = self._entries.get(id(key), (None, None))
        return state if reference is not None and reference() is key else None

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> list[tuple[Any, Any]]:
        """The pairs (parameter, state)."""
        found = [(reference(), state) for reference, state in self._entries.values()]
        return [(key, state) for key, state in found if key is not None]

    def __reduce__(self) -> tuple[Any, ...]:
        return IdentityStore, (self.items(),)


def _array(value: Any) -> Any:
    """An array, where NumPy made a number of one without dimensions."""
    return np.asarray(value) if np.isscalar(value) else value


def _place(array: Any) -> tuple[bool, Any]:
    """Which memory an array is in."""
    return is_numpy(array), getattr(array, "device", None)


def brought(array: Any, value: Any, ops: Any) -> Any:
    """An array in the memory of another one: itself if it is there."""
    if _place(array) == _place(value):
        return array
    host = host_copy(array)
    return host if is_numpy(value) else placed(ops, host, value)
