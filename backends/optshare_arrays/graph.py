"""Differentiations: what records a primitive, and goes back through what was recorded."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from optshare.extend import (
    Box,
    EscapedValueError,
    current_overlay,
)
from optshare_arrays.broadcasting import fitted
from optshare_arrays.nodes import (
    DTYPE,
    INPUTS,
    KEPT,
    KEYWORDS,
    NO_KEYWORDS,
    NOTHING_KEPT,
    PARENTS,
    PLAN,
    SEQUENCE,
    SHAPE,
    Cotangents,
    Leaf,
    Node,
    next_sequence,
    recorded,
)
from optshare_arrays.primitives import UNTRACKED, Plan, Primitive, Traceable, plain, unboxed

next_level = itertools.count(1).__next__
"""The level of a new differentiation: a later one is inside, so its values are higher."""


new = object.__new__
_ONE = 0b11


class Scope:
    """One differentiation: its level, its kind of values, and whether it has ended."""

    __slots__ = ("closed", "kind", "level")

    def __init__(self, kind: type[Traceable], level: int | None = None) -> None:
        self.kind = kind
        self.level = next_level() if level is None else level
        self.closed = False

    def leaf(self, value: Any, end: Leaf | None = None) -> Any:
        """An input of this differentiation, tracked, and where its cotangent arrives."""
        tracked = new(self.kind)
        tracked.value, tracked.scope = value, self
        end = end or Leaf()
        tracked.node = [next_sequence(), value.shape, value.dtype, end, (), (), NO_KEYWORDS, None]
        return tracked

    def owns(self, value: Any) -> bool:
        """Whether a value is tracked by this differentiation."""
        return isinstance(value, Traceable) and value.scope is self

    def record(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute one level down, and link the result to its arguments."""
        overlay = current_overlay()
        if self.closed or (overlay is not None and overlay.suspended):
            return self._unrecorded(primitive, args, kwargs)
        inputs = list(args)
        parents: list[Node] = []
        mask, innermost = 1 << len(inputs), True
        for place, each in enumerate(args):
            if type(each) in UNTRACKED:
                continue
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
        try:
            plan = primitive.plans[mask]
        except KeyError:
            plan = primitive.plan(mask)
        if not innermost:
            answer = primitive(*inputs, **kwargs)
        elif plan.saves:
            answer, kwargs["saved"] = primitive.run(*inputs, **kwargs)
        else:
            answer = primitive.forward(*inputs, **kwargs)
        for place in plan.dropped:
            inputs[place] = None
        kept = answer if plan.keeps_answer else None
        shape, dtype = answer.shape, answer.dtype
        tracked = new(self.kind)
        tracked.value, tracked.scope = answer, self
        tracked.node = [next_sequence(), shape, dtype, plan, parents, inputs, kwargs, kept]
        return tracked

    def _unrecorded(
        self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The plain answer, where nothing is recorded; raises if this differentiation has ended."""
        if self.closed:
            raise EscapedValueError(
                f"{primitive.name} was applied to a value of a differentiation that has ended; "
                f"return it from the function, or keep ops.stop_gradient(x)"
            )
        return primitive(*map(plain, args), **kwargs)

    def record_one(self, primitive: Primitive, x: Traceable) -> Any:
        """`record(primitive, (x,), {})`, unrolled."""
        try:
            plan = primitive.plans[_ONE]
        except KeyError:
            plan = primitive.plan(_ONE)
        overlay, value = current_overlay(), x.value
        if (
            self.closed
            or (overlay is not None and overlay.suspended)
            or isinstance(value, Traceable)
            or plan.saves
        ):
            return self.record(primitive, (x,), {})
        answer = primitive.forward(value)
        tracked = new(self.kind)
        tracked.value, tracked.scope = answer, self
        tracked.node = [
            next_sequence(),
            answer.shape,
            answer.dtype,
            plan,
            (x.node,),
            (None if plan.drops_first else value,),
            NO_KEYWORDS,
            answer if plan.keeps_answer else None,
        ]
        return tracked

    def record_pair(
        self, primitive: Primitive, mask: int, parents: tuple[Node, ...], left: Any, right: Any
    ) -> Any:
        """What `record` does, unrolled for the operators: one of NumPy's functions of two arrays.

        Left and right are one level down; where they are tracked there, NumPy's function
        finds that out.
        """
        overlay = current_overlay()
        if self.closed or (overlay is not None and overlay.suspended):
            return self._unrecorded(primitive, (left, right), NO_KEYWORDS)
        answer = primitive.forward(left, right)
        try:
            plan = primitive.plans[mask]
        except KeyError:
            plan = primitive.plan(mask)
        tracked = new(self.kind)
        tracked.value, tracked.scope = answer, self
        tracked.node = [
            next_sequence(),
            answer.shape,
            answer.dtype,
            plan,
            parents,
            (None if plan.drops_first else left, None if plan.drops_second else right),
            NO_KEYWORDS,
            answer if plan.keeps_answer else None,
        ]
        return tracked

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
        get = cotangents.get
        for sequence in sorted(found, reverse=True):
            g = get(sequence)
            if g is None:
                continue
            del cotangents[sequence]
            node = found[sequence]
            _, shape, dtype, plan, parents, inputs, kwargs, answer = node
            if type(plan) is not Plan:
                leaves[plan] = g if plan.hooks is None else plan.received(g)
                continue
            if free:
                node[PLAN], node[PARENTS], node[INPUTS], node[KEYWORDS], node[KEPT] = NOTHING_KEPT
            elif again:
                answer, inputs = self._tracked(node, plan)
            if kwargs or plan.pull is not None or len(inputs) > 2:
                if plan.pull is not None:
                    pulled = plan.pull(plan.places, g, answer, inputs, kwargs)
                else:
                    pulled = [vjp(g, answer, *inputs, **kwargs) for vjp in plan.vjps]
                for parent, each in zip(parents, pulled, strict=True):
                    if each is not None:
                        if each.shape != parent[SHAPE] or each.dtype is not parent[DTYPE]:
                            each = fitted(each, parent[SHAPE], parent[DTYPE])
                        key = parent[SEQUENCE]
                        before = get(key)
                        cotangents[key] = each if before is None else before + each
                g = inputs = answer = pulled = each = before = None  # or they outlive their turn
                continue
            if len(inputs) == 1:
                each = plan.vjps[0](g, answer, inputs[0])
            else:
                x, y = inputs
                if len(parents) == 2:
                    parent = parents[0]
                    each = plan.vjps[0](g, answer, x, y)
                    if plan.alike and shape == parent[SHAPE] and dtype is parent[DTYPE]:
                        key = parent[SEQUENCE]
                        before = get(key)
                        cotangents[key] = each if before is None else before + each
                    else:
                        _add(cotangents, parent, each)
                each = plan.vjps[-1](g, answer, x, y)
                x = y = None
            parent = parents[-1]
            if plan.alike and shape == parent[SHAPE] and dtype is parent[DTYPE]:
                key = parent[SEQUENCE]
                before = get(key)
                cotangents[key] = each if before is None else before + each
            else:
                _add(cotangents, parent, each)
            g = inputs = answer = each = before = None
        return leaves

    def _tracked(self, node: Node, plan: Plan) -> tuple[Any, Sequence[Any]]:
        """The answer and the inputs of a node, tracked as they were."""
        inputs = list(node[INPUTS])
        for place, parent in zip(plan.places, node[PARENTS], strict=True):
            inputs[place] = self.kind(inputs[place], self, parent)
        return self.kind(node[-1], self, node), inputs


def _add(cotangents: dict[int, Any], parent: Node, each: Any) -> None:
    """Add a cotangent to those of a node, in the node's shape and dtype."""
    if each is None:
        return
    if each.shape != parent[SHAPE] or each.dtype is not parent[DTYPE]:
        each = fitted(each, parent[SHAPE], parent[DTYPE])
    before = cotangents.get(parent[SEQUENCE])
    cotangents[parent[SEQUENCE]] = each if before is None else before + each
