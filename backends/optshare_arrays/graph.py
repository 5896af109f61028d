"""What both engines record: nodes that link to what they were computed from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from optshare.extend import (
    Box,
    EscapedValueError,
    FreedRecordError,
    current_overlay,
)
from optshare_arrays.broadcasting import fitted
from optshare_arrays.hooks import Hooks, hooked
from optshare_arrays.parts import turned
from optshare_arrays.primitives import Plan, Primitive, Traceable, plain, unboxed

next_level = itertools.count(1).__next__
"""The level of a new differentiation: a later one is inside, so its values are higher."""

_next_sequence = itertools.count().__next__

Node = list[Any]
"""One recorded operation: `[sequence, shape, dtype, plan, parents, inputs, kwargs, answer]`.

Shape and dtype are the answer's; the parents are the nodes of the tracked
arguments. It is a plain list because one is made for every operation, and a
list is made three times as fast as an object. Nodes refer to their inputs only,
never back, so what nobody holds is freed at once; nor do they hold the tracked
values, whose arrays may be dropped. Where an operation ends the graph, a `Leaf`
stands in the place of the plan; where its record was freed, `FREED`.
"""
SEQUENCE, SHAPE, DTYPE, PLAN, PARENTS, INPUTS = range(6)


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
_NONE: dict[str, Any] = {}
_NOTHING_KEPT = FREED, (), (), _NONE, None


def leaf_node(leaf: Leaf, like: Any) -> Node:
    """The node of an input that is like an array."""
    return [_next_sequence(), like.shape, like.dtype, leaf, (), (), _NONE, None]


def hooks_of(node: Node) -> Hooks:
    """The functions that are called with the cotangent of a node, to add to."""
    if not isinstance(node[PLAN], Plan):
        return node[PLAN].hook()
    node[PLAN], hooks = hooked(node[PLAN])
    return hooks


class Scope:
    """One differentiation: its level, its kind of values, and whether it has ended."""

    __slots__ = ("closed", "kind", "level")

    def __init__(self, kind: type[Traceable], level: int | None = None) -> None:
        self.kind = kind
        self.level = next_level() if level is None else level
        self.closed = False

    def leaf(self, value: Any) -> Any:
        """An input of this differentiation, tracked."""
        return self.kind(value, self, leaf_node(Leaf(), value))

    def owns(self, value: Any) -> bool:
        """Whether a value is tracked by this differentiation."""
        return isinstance(value, Traceable) and value.scope is self

    def record(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute one level down, and link the result to its arguments."""
        if self.closed:
            raise EscapedValueError(
                f"{primitive.name} was applied to a value of a differentiation that has ended; "
                f"return it from the function, or keep ops.stop_gradient(x)"
            )
        overlay = current_overlay()
        if overlay is not None and overlay.suspended:
            return primitive(*map(plain, args), **kwargs)
        inputs = list(args)
        parents: list[Node] = []
        mask, innermost = 1 << len(inputs), True
        for place, each in enumerate(args):
            if isinstance(each, Traceable):
                if each.scope is self:
                    mask |= 1 << place
                    parents.append(each.node)
                    each = inputs[place] = each.value
                elif each.scope.level > self.level:
                    return each.scope.record(primitive, args, kwargs)
                if isinstance(each, Traceable):
                    innermost = False
            elif isinstance(each, Box):
                return primitive(*map(unboxed, args), **kwargs)
        if not innermost:
            answer = primitive(*inputs, **kwargs)
        elif primitive.saves:
            answer, kwargs["saved"] = primitive.run(*inputs, **kwargs)
        else:
            answer = primitive.forward(*inputs, **kwargs)
        plan = primitive.plans.get(mask) or primitive.plan(mask)
        for place in plan.dropped:
            inputs[place] = None
        kept = answer if plan.keeps_answer else None
        shape, dtype = answer.shape, answer.dtype
        node = [_next_sequence(), shape, dtype, plan, parents, inputs, kwargs, kept]
        return self.kind(answer, self, node)

    def record_pair(self, primitive: Primitive, x: Any, y: Any) -> Any:
        """`record(primitive, (x, y), {})`, unrolled: most calls are operators of two arrays."""
        mask, left, right = 4, x, y
        parents: list[Node] = []
        if isinstance(x, Traceable):
            if x.scope is not self:
                return self.record(primitive, (x, y), {})
            mask, left = 5, x.value
            parents.append(x.node)
        if isinstance(y, Traceable):
            if y.scope is not self:
                return self.record(primitive, (x, y), {})
            mask, right = mask + 2, y.value
            parents.append(y.node)
        overlay = current_overlay()
        if (
            self.closed
            or (overlay is not None and overlay.suspended)
            or isinstance(left, Traceable)
            or isinstance(right, Traceable)
        ):
            return self.record(primitive, (x, y), {})
        answer = primitive.forward(left, right)
        plan = primitive.plans.get(mask) or primitive.plan(mask)
        inputs = [left, right]
        for place in plan.dropped:
            inputs[place] = None
        kept = answer if plan.keeps_answer else None
        shape, dtype = answer.shape, answer.dtype
        node = [_next_sequence(), shape, dtype, plan, parents, inputs, _NONE, kept]
        return self.kind(answer, self, node)

    def pull(self, output: Traceable, seed: Any, *, free: bool, again: bool = False) -> Cotangents:
        """The cotangent of each leaf that a value was computed from.

        Args:
            output: a value of this differentiation.
            seed: its cotangent.
            free: whether to forget each operation as soon as it has been used.
            again: whether to record the backward pass in this differentiation too.
        """
        found = recorded(output.node)
        cotangents: dict[int, Any] = {output.node[SEQUENCE]: seed}
        leaves: Cotangents = {}
        for sequence in sorted(found, reverse=True):
            g = cotangents.pop(sequence, None)
            if g is None:
                continue
            node = found[sequence]
            _, _, _, plan, parents, inputs, kwargs, answer = node
            if type(plan) is not Plan:
                leaves[plan] = plan.received(g)
                continue
            if free:
                node[PLAN:] = _NOTHING_KEPT
            elif again:
                answer, inputs = self._tracked(node, plan)
            if plan.pull is not None:
                pulled = plan.pull(plan.places, g, answer, inputs, kwargs)
            elif len(inputs) == 2 and not kwargs:
                x, y = inputs
                if len(parents) == 2:
                    left, right = plan.vjps
                    pulled = left(g, answer, x, y), right(g, answer, x, y)
                else:
                    pulled = (plan.vjps[0](g, answer, x, y),)
            elif len(inputs) == 1 and not kwargs:
                pulled = (plan.vjps[0](g, answer, inputs[0]),)
            else:
                pulled = [vjp(g, answer, *inputs, **kwargs) for vjp in plan.vjps]
            for parent, each in zip(parents, pulled, strict=True):
                if each is not None:
                    if each.shape != parent[SHAPE] or each.dtype is not parent[DTYPE]:
                        each = fitted(each, parent[SHAPE], parent[DTYPE])
                    key = parent[SEQUENCE]
                    before = cotangents.get(key)
                    cotangents[key] = each if before is None else before + each
            x = y = inputs = answer = pulled = each = before = None  # or they outlive their turn
        return leaves

    def _tracked(self, node: Node, plan: Plan) -> tuple[Any, Sequence[Any]]:
        """The answer and the inputs of a node, tracked as they were."""
        inputs = list(node[INPUTS])
        for place, parent in zip(plan.places, node[PARENTS], strict=True):
            inputs[place] = self.kind(inputs[place], self, parent)
        return self.kind(node[-1], self, node), inputs


Cotangents = dict[Leaf, Any]


def recorded(output: Node) -> dict[int, Node]:
    """All that a node was computed from; raises if some of it was freed or is stale."""
    found = {output[SEQUENCE]: output}
    waiting = [output]
    while waiting:
        node = waiting.pop()
        if type(node[PLAN]) is not Plan:
            node[PLAN].require_usable()
        for each in node[PARENTS]:
            if each[SEQUENCE] not in found:
                found[each[SEQUENCE]] = each
                waiting.append(each)
    return found
