"""`init` and `update`: a rule as two pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from optshare.errors import GradientShapeError, HyperparameterError, ParameterError
from optshare.kernels.mathematics import Mathematics
from optshare.narrowing import is_dict
from optshare.orientation import Site
from optshare.pure.leaf import Leaf, Prepared, begin, checked, number_or_array, require_array
from optshare.pure.trees import beside, leaves, plain, rebuilt

State = dict[str, Any]
"""The count of `"step"`s, and in `"parameters"` the state of each array, laid out like params."""


class PureForm(Mathematics):
    """What every rule inherits: the pure form of an update."""

    def at(self, step: Any) -> Self:
        """The rule with the number that each schedule gives at a step."""
        raise NotImplementedError

    def given(self, **changes: Any) -> Self:
        """The rule with other hyperparameters, which may be arrays."""
        raise NotImplementedError

    def for_parameter(self, site: Site, shape: Sequence[int | None]) -> PureForm:
        """The rule for one parameter."""
        return self

    def is_separate(self) -> bool:
        """Whether each parameter is updated by itself."""
        return True

    def init(self, params: Any, /) -> State:
        """The state before the first update, in plain containers of arrays and numbers.

        Args:
            params: arrays of any engine, in nested dicts, lists, tuples and dataclasses.

        Raises:
            ParameterError: a leaf that is no array of real or complex numbers.

        >>> import numpy as np, optshare
        >>> optshare.SGD(momentum=0.9).init({"w": np.ones(2)})
        {'step': 0, 'parameters': {'w': {'t': 0, 'momentum_buffer': array([0., 0.])}}}
        """
        self._require_separate()
        found: list[Any] = []
        for site, value in _sites(params):
            rule = self._for(site, value)
            found.append(begin(rule, rule.at(0), value, site))
        return {"step": 0, "parameters": plain(params, iter(found))}

    def update(self, gradients: Any, state: State, params: Any, /, **changes: Any) -> Any:
        """The new parameters and the new state; nothing that is given is written.

        Pure: JAX and PyTorch can trace, batch and differentiate it. A leaf whose gradient
        is `None` stays as it is, and so does its step count.

        Args:
            gradients: laid out like params.
            state: what `init` or the last update gave.
            params: arrays of any engine, in nested dicts, lists, tuples and dataclasses.
            changes: hyperparameters of this update, in place of the rule's own: numbers,
                or arrays of no dimensions, which may be traced.

        Raises:
            GradientShapeError: gradients of another structure, or one of another shape.
            ParameterError: a state of another structure, or of another rule.
            HyperparameterError: an unknown name, or a schedule that gives no number.

        >>> import numpy as np, optshare
        >>> rule, params = optshare.SGD(lr=0.5), {"w": np.array([1.0, 2.0])}
        >>> params, state = rule.update({"w": np.array([1.0, 4.0])}, rule.init(params), params)
        >>> params, state
        ({'w': array([0.5, 0. ])}, {'step': 1, 'parameters': {'w': {'t': 1}}})
        """
        _require_state(state)
        self._require_separate()
        rule, step = self.given(**changes) if changes else self, number_or_array(state["step"])
        named, now = list(_sites(params)), rule.at(step)
        kept = list(beside(params, state["parameters"], "state", ParameterError))
        given = list(beside(params, gradients, "gradient", GradientShapeError))
        jobs: list[Leaf | None] = []
        for (site, value), gradient, own in zip(named, given, kept, strict=True):
            its = rule if gradient is None else rule._for(site, value)
            at = now if its is rule else its.at(step)
            leaf = None if gradient is None else checked(its, at, site.path, value, gradient, own)
            jobs.append(leaf)
        prepared: Prepared = {}
        with np.errstate(all="ignore"):
            new = [
                (value, own) if job is None else job.updated(prepared)
                for job, (_, value), own in zip(jobs, named, kept, strict=True)
            ]
        moved = rebuilt(params, (value for value, _ in new))
        states = plain(params, (own for _, own in new))
        taken = any(job is not None for job in jobs)
        return moved, {"step": step + int(taken), "parameters": states}

    def _for(self, site: Site, value: Any) -> PureForm:
        require_array(site.path, value)
        return self.for_parameter(site, tuple(value.shape))

    def _require_separate(self) -> None:
        if not self.is_separate():
            raise HyperparameterError(
                f"{self!r} acts on all gradients at once, which the pure form does not; change "
                f"the gradients before rule.update, or take an Optimizer"
            )


def _sites(params: Any) -> Iterator[tuple[Site, Any]]:
    for place, (path, value) in enumerate(leaves(params)):
        yield Site(place, path), value


def _require_state(state: Any) -> None:
    if not is_dict(state) or set(state) != {"step", "parameters"}:
        raise ParameterError(
            f"the state is a {type(state).__name__}, not what rule.init(params) gives; call "
            f"rule.update(gradients, state, params)"
        )
