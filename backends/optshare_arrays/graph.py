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
    NO_KEYWORDS,
    NOTHING_KEPT,
    PARENTS,
    PLAN,
    SEQUENCE,
    SHAPE,
    Cotangents,
    Leaf,
    Node,
    leaf_node,
    next_sequence,
    recorded,
)
from optshare_arrays.primitives import Plan, Primitive, Traceable, plain, unboxed

next_level = itertools.count(1).__next__
"""The level of a new differentiation: a later one is inside, so its values are higher."""


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
        node = [next_sequence(), shape, dtype, plan, parents, inputs, kwargs, kept]
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
        node = [next_sequence(), shape, dtype, plan, parents, inputs, NO_KEYWORDS, kept]
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
                node[PLAN:] = NOTHING_KEPT
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
