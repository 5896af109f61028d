"""Which parameters an optimizer holds, and by which rule each of them is updated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from optshare import grouping, overlay, rebinding, selectors
from optshare.binding import Binding
from optshare.errors import ParameterError
from optshare.grouping import Group, Groups, Use
from optshare.pipeline import Pipeline
from optshare.rules.base import Rule
from optshare.state import IdentityStore, ParameterState


class Membership:
    """The parameters of a model, each with its state; they may come and go."""

    def __init__(self, model: Any, rule: Rule, groups: Groups | None, pipeline: Pipeline) -> None:
        binding = Binding(model)
        self._pipeline = pipeline
        self._groups = grouping.listed(binding, rule, groups)
        self._store = IdentityStore()
        self._hold(binding, grouping.assigned(binding, self._groups))

    def _hold(self, binding: Binding, groups: list[Group], new: Binding | None = None) -> None:
        """Hold the parameters of a binding, new ones in these groups, the others as before."""
        before, begun = self._store, grouping.begun(new or binding, groups)
        self._store = IdentityStore(
            (key, before[key] if key in before else begun[id(key)]) for key in binding.keys
        )
        self._binding = binding
        self._pipeline.hold(binding)
        self._compiled: dict[str, Callable[..., Any]] = {}
        """What each compiling backend remembers of the functions given to `step`."""

    @property
    def tree(self) -> Any:
        """The model; of a plain tree of arrays, the current one."""
        return self._binding.tree.model

    @property
    def groups(self) -> list[Use]:
        """The rules in use, each with the paths of the parameters that it updates.

        >>> import optshare
        >>> model = {"w": optshare.Parameter([1.0]), "b": optshare.Parameter([1.0])}
        >>> opt = optshare.SGD(model, groups={"b": dict(lr=0.5)})
        >>> [(use.rule.lr, use.paths) for use in opt.groups]
        [(0.001, ('w',)), (0.5, ('b',))]
        """
        entries = self._binding.entries
        return grouping.uses((each.path, self._store[each.key].rule) for each in entries)

    def zero_grad(self) -> None:
        """Forget the `.grad` that backward passes accumulated."""
        for key in self._binding.keys:
            key.grad = None

    def state_for(self, parameter: Any) -> ParameterState:
        """What is kept for a parameter: `.lr` and its kin, `.t`, `.arrays`.

        >>> import optshare
        >>> w = optshare.Parameter([1.])
        >>> optshare.Adam([w], lr=0.5).state_for(w).lr
        0.5
        """
        return self._store[self._binding.key(parameter)]

    def adjust(self, part: Any = None, /, **changes: Any) -> None:
        """Change hyperparameters, of a part of the model or of all; state is kept.

        A part is also what a group may be for: a pattern of paths, a class of layers, a
        predicate. Without one the change is for parameters that are added later, too, and
        a name that no rule has is a transform's; where both have it, `"ClipGlobalNorm.eps"` is.

        Raises:
            HyperparameterError: an unknown name, or a value out of range.
            GroupError: a pattern, class or predicate matches nothing.

        >>> import optshare
        >>> w = optshare.Parameter([1.])
        >>> opt = optshare.Adam([w]); opt.adjust(lr=0.5)
        >>> opt.state_for(w).lr
        0.5
        """
        states = self._states(part)
        later = self._groups if part is None else []
        rules = {id(rule): rule for rule in (each.rule for each in (*states, *later))}
        pipeline = self._pipeline
        if part is None:
            changes, pipeline = self._pipeline.adjusted(changes, [*rules.values()])
        adjusted = {place: rule.adjusted(**changes) for place, rule in rules.items()}
        self._pipeline = pipeline
        for each in states:
            each.rule = adjusted[id(each.rule)]
        if part is None:
            self._groups = [g._replace(rule=adjusted[id(g.rule)]) for g in self._groups]

    def _states(self, part: Any) -> list[ParameterState]:
        keys = self._binding.keys if part is None else selectors.members(self._binding, part)
        return [self._store[key] for key in keys]

    def add(self, part: Any, rule: Rule | None = None, /, **changes: Any) -> None:
        """Hold the parameters of a part that the model has got; all else keeps its state.

        Args:
            part: what is in the model by now: a layer, a parameter, a pattern of paths.
            rule: its rule; by default that of the group that it is in, or of the optimizer.
            changes: hyperparameters of its own.

        Paths are those of the model as it is now. What is held of the part already stays as
        it is. Parameters in no added part are not held.

        Raises:
            UnregisteredParameterError: the part is not in the model.
            ParameterError: all of it is held, or what is held is not in the model any more.
            GroupError: a parameter is in two groups, or a pattern matches nothing.

        >>> import optshare
        >>> model = optshare.Chain(optshare.Dense(2, 3))
        >>> opt = optshare.Adam(model, lr=0.1)
        >>> model.layers.append(optshare.Dense(3, 1))
        >>> opt.add(model[1], lr=0.5)
        >>> [(use.rule.lr, use.paths) for use in opt.groups]
        [(0.1, ('layers.0.weight', 'layers.0.bias')), (0.5, ('layers.1.weight', 'layers.1.bias'))]
        """
        refuse_inside_differentiation()
        if rule is not None:
            grouping.require_own(rule)
        binding, new = rebinding.with_part(self._binding, part)
        taken = [state.group for _, state in self._store.items()]
        taken += [each.name for each in self._groups]
        self._hold(binding, grouping.of_part(new, self._groups, part, rule, changes, taken), new)

    def remove(self, part: Any, /) -> None:
        """Hold the parameters of a part no longer; their state is forgotten.

        Updates leave them alone, and a gradient for one of them is refused, as for any
        parameter that is not held. They may be in the model still, or not any more.

        Args:
            part: a layer, a parameter, a pattern of paths, as they were when they were held.

        Raises:
            UnregisteredParameterError: a part that is not held.
            GroupError: a pattern, class or predicate matches nothing.
            ParameterError: what is held otherwise is not in the model any more.

        >>> import optshare
        >>> model = optshare.Chain(optshare.Dense(2, 3), optshare.Dense(3, 1))
        >>> opt = optshare.SGD(model)
        >>> opt.remove(model[0])
        >>> [use.paths for use in opt.groups]
        [('layers.1.weight', 'layers.1.bias')]
        """
        refuse_inside_differentiation()
        gone = selectors.members(self._binding, part)
        binding = rebinding.without(self._binding, gone)
        self._hold(binding, [], binding.only([]))

    def __copy__(self) -> NoReturn:
        raise TypeError(
            "a shallow copy would share its state; copy.deepcopy((model, opt)) copies both"
        )

    def __repr__(self) -> str:
        transforms, found = map(repr, self._pipeline.transforms), self.groups
        shown = [f"{len(self._binding.entries)} parameters", *transforms]
        if len(found) == 1:
            return f"Optimizer({', '.join([*shown, repr(found[0].rule)])})"
        lines = ",\n  ".join([*shown, *map(str, found)])
        return f"Optimizer({lines})"


def refuse_inside_differentiation() -> None:
    """Raise where a function is being differentiated."""
    if not overlay.writable():
        raise ParameterError(
            "an optimizer cannot update while a function is being differentiated; "
            "update after it has returned"
        )
