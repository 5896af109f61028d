"""Fused primitives: a forward and a backward pass by hand, on plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optshare_arrays.differentiation import vjp
from optshare_arrays.graph import Scope
from optshare_arrays.primitives import UNTRACKED, Traceable
from optshare_arrays.recompute import Joint
from optshare_arrays.tracked import Tracked

Function = Callable[..., Any]


class Fused(Joint):
    """A primitive with a fast derivative by hand, and to any order by its definition.

    Args:
        definition: the same function, composed of differentiable functions. It is
            differentiated wherever the backward pass is itself tracked.
        run: `run(*args) -> (answer, saved)`, on plain arrays.
        backward: `backward(places, g, saved, *args)`, on plain arrays: the cotangents
            of the arguments at the places, which are all that is wanted.
        name: its name in messages.
    """

    saves = True

    def __init__(self, definition: Function, run: Function, backward: Function, name: str) -> None:
        def forward(*args: Any) -> Any:
            return run(*args)[0]

        super().__init__(forward, backward, name)
        self.pull = self._pulled
        self._definition = definition
        self._run = run
        self._backward = backward

    def run(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The answer, and what the backward pass needs beside the arguments."""
        return self._run(*args)

    def _pulled(
        self, places: Sequence[int], g: Any, ans: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Sequence[Any]:
        saved = kwargs.get("saved")
        given = (g, *args)
        if saved is None or not (
            UNTRACKED.issuperset(map(type, given))
            or not any(isinstance(each, Traceable) for each in given)
        ):
            return self._composed(places, g, args)
        return self._backward(places, g, saved, *args)

    def _composed(self, places: Sequence[int], g: Any, args: Sequence[Any]) -> Sequence[Any]:
        def f(*tracked: Any) -> Any:
            values = list(args)
            for place, each in zip(places, tracked, strict=True):
                values[place] = each
            return self._definition(*values)

        return vjp(Scope(Tracked), f, *(args[place] for place in places), free=True)[1](g)
