"""Nodes: what a differentiation records of each operation."""

from __future__ import annotations

import itertools
from typing import Any

from optshare.extend import FreedRecordError
from optshare_arrays.hooks import Hooks, hooked
from optshare_arrays.parts import turned
from optshare_arrays.primitives import Plan

next_sequence = itertools.count().__next__

Node = list[Any]
"""One recorded operation: `[sequence, shape, dtype, plan, parents, inputs, kwargs, answer]`.

Shape and dtype are the answer's; the parents are the nodes of the tracked
arguments. It is a plain list because one is made for every operation, and a
list is made three times as fast as an object. Nodes refer to their inputs only,
never back, so what nobody holds is freed at once; nor do they hold the tracked
values, whose arrays may be dropped. Where an operation ends the graph, a `Leaf`
stands in the place of the plan; where its record was freed, `FREED`.
"""
SEQUENCE, SHAPE, DTYPE, PLAN, PARENTS, INPUTS, KEYWORDS, KEPT = range(8)


class Leaf:
    """Where a backward pass ends: an input of a differentiation."""

    __slots__ = ("hooks",)

    def __init__(self) -> None:
        self.hooks: Hooks | None = None

    def require_usable(self) -> None:
        """An input is usable always."""

    def received(self, cotangent: Any) -> Any:
        """The cotangent of an input, after its hooks."""
        return cotangent if self.hooks is None else turned(self.hooks.applied(turned(cotangent)))

    def hook(self) -> Hooks:
        """The functions that are called with the cotangent of this input, to add to."""
        if self.hooks is None:
            self.hooks = Hooks()
        return self.hooks


class Freed(Leaf):
    """What is left of an operation after a backward pass."""

    __slots__ = ()

    def require_usable(self) -> None:
        """Raise `FreedRecordError`."""
        raise FreedRecordError(
            "this record was freed by an earlier backward pass; run the forward pass again"
        )

    def hook(self) -> Hooks:
        """Raise `FreedRecordError`."""
        self.require_usable()
        raise AssertionError


FREED = Freed()
NO_KEYWORDS: dict[str, Any] = {}
NOTHING_KEPT = FREED, (), (), NO_KEYWORDS, None


def hooks_of(node: Node) -> Hooks:
    """The functions that are called with the cotangent of a node, to add to."""
    if not isinstance(node[PLAN], Plan):
        return node[PLAN].hook()
    node[PLAN], hooks = hooked(node[PLAN])
    return hooks


Cotangents = dict[Leaf, Any]


def recorded(output: Node) -> dict[int, Node]:
    """All that a node was computed from; raises if some of it was freed or is stale."""
    found = {output[SEQUENCE]: output}
    waiting = [output]
    for node in waiting:
        end = node[PLAN]
        if type(end) is not Plan and type(end) is not Leaf:
            end.require_usable()
        for each in node[PARENTS]:
            sequence = each[SEQUENCE]
            if sequence not in found:
                found[sequence] = each
                waiting.append(each)
    return found
