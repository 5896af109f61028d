"""What both engines record: nodes that link to what they were computed from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
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

FREED = "this record was freed by an earlier backward pass; run the forward pass again"

_next_sequence = itertools.count().__next__


class Node:
    """One recorded operation: what its backward pass needs, and the nodes of its arguments.

    Nodes refer to their inputs only, never back, so what nobody holds is freed
    at once; nor do they hold the tracked values, whose arrays may be dropped.
    """

    __slots__ = ("answer", "dtype", "inputs", "kwargs", "parents", "plan", "sequence", "shape")

    plan: Plan | None

    def __init__(
        self,
        plan: Plan | None,
        parents: Sequence[Node],
        inputs: Sequence[Any],
        kwargs: dict[str, Any],
        answer: Any,
        like: Any,
    ) -> None:
        self.plan = plan
        self.parents = parents
        self.inputs = inputs
        self.kwargs = kwargs
        self.answer = answer
        self.shape = like.shape
        self.dtype = like.dtype
        self.sequence = _next_sequence()

    def require_usable(self) -> None:
        """Raise `FreedRecordError`: asked of a node that has no plan."""
        raise FreedRecordError(FREED)

    def received(self, cotangent: Any) -> Any:
        """The cotangent at the end of a backward pass: asked of a node that has no plan."""
        return cotangent

    def hook(self) -> Hooks:
        """The functions that are called with the cotangent of this operation, to add to."""
        if self.plan is None:
            raise FreedRecordError(FREED)
        self.plan, hooks = hooked(self.plan)
        return hooks


class Leaf(Node):
    """Where a backward pass ends: an input of a differentiation."""

    __slots__ = ("hooks",)

    def __init__(self, like: Any) -> None:
        super().__init__(None, (), (), {}, None, like)
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


class Scope:
    """One differentiation: its level, its kind of values, and whether it has ended."""

    __slots__ = ("closed", "kind", "level")

    def __init__(self, kind: type[Traceable], level: int | None = None) -> None:
        self.kind = kind
        self.level = next_level() if level is None else level
        self.closed = False

    def leaf(self, value: Any) -> Any:
        """An input of this differentiation, tracked."""
        return self.kind(value, self, Leaf(value))

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
        return self.kind(answer, self, Node(plan, parents, inputs, kwargs, kept, answer))

    def pull(self, output: Traceable, seed: Any, *, free: bool, again: bool = False) -> Cotangents:
        """The cotangent of each leaf that a value was computed from.

        Args:
            output: a value of this differentiation.
            seed: its cotangent.
            free: whether to forget each operation as soon as it has been used.
            again: whether to record the backward pass in this differentiation too.
        """
        found = recorded(output.node)
        cotangents: dict[int, Any] = {output.node.sequence: seed}
        leaves: Cotangents = {}
        for sequence in sorted(found, reverse=True):
            g = cotangents.pop(sequence, None)
            if g is None:
                continue
            node = found[sequence]
            plan = node.plan
            if plan is None:
                leaves[node] = node.received(g)
                continue
            answer, inputs, kwargs, parents = node.answer, node.inputs, node.kwargs, node.parents
            if free:
                node.plan = node.answer = None
                node.inputs = node.parents = ()
                node.kwargs = {}
            elif again:
                answer, inputs = self._tracked(node, plan)
            vjps = plan.vjps
            if plan.pull is not None:
                vjps = given(plan.pull(plan.places, g, answer, inputs, kwargs))
            for parent, vjp in zip(parents, vjps, strict=True):
                each = vjp(g, answer, *inputs, **kwargs) if kwargs else vjp(g, answer, *inputs)
                if each is not None:
                    if each.shape != parent.shape or each.dtype != parent.dtype:
                        each = fitted(each, parent.shape, parent.dtype)
                    key = parent.sequence
                    before = cotangents.get(key)
                    cotangents[key] = each if before is None else before + each
        return leaves

    def _tracked(self, node: Node, plan: Plan) -> tuple[Any, Sequence[Any]]:
        """The answer and the inputs of a node, tracked as they were."""
        inputs = list(node.inputs)
        for place, parent in zip(plan.places, node.parents, strict=True):
            inputs[place] = self.kind(inputs[place], self, parent)
        return self.kind(node.answer, self, node), inputs


Cotangents = dict[Node, Any]

_NONE: dict[str, Any] = {}


def given(pulled: Sequence[Any]) -> Sequence[Callable[..., Any]]:
    """Cotangents that are there already, as functions like VJPs."""
    return [partial(_itself, each) for each in pulled]


def _itself(cotangent: Any, *_: Any, **__: Any) -> Any:
    return cotangent


def record_pair(primitive: Primitive, x: Any, y: Any) -> Any:
    """`primitive(x, y)`, of which one is tracked: `Scope.record`, unrolled for speed."""
    if isinstance(x, Traceable):
        scope: Scope = x.scope
        left = x.value
        if isinstance(y, Traceable):
            if y.scope is not scope:
                return scope.record(primitive, (x, y), {})
            right, mask, parents = y.value, 7, (x.node, y.node)
        else:
            right, mask, parents = y, 5, (x.node,)
    else:
        scope, left, right, mask, parents = y.scope, x, y.value, 6, (y.node,)
    overlay = current_overlay()
    if (
        scope.closed
        or (overlay is not None and overlay.suspended)
        or isinstance(left, Traceable)
        or isinstance(right, Traceable)
    ):
        return scope.record(primitive, (x, y), {})
    answer = primitive.forward(left, right)
    plan = primitive.plans.get(mask) or primitive.plan(mask)
    inputs = [left, right]
    for place in plan.dropped:
        inputs[place] = None
    kept = answer if plan.keeps_answer else None
    return scope.kind(answer, scope, Node(plan, parents, inputs, _NONE, kept, answer))


def recorded(output: Node) -> dict[int, Node]:
    """All that a node was computed from; raises if some of it was freed or is stale."""
    found = {output.sequence: output}
    waiting = [output]
    while waiting:
        node = waiting.pop()
        if node.plan is None:
            node.require_usable()
        for each in node.parents:
            if each.sequence not in found:
                found[each.sequence] = each
                waiting.append(each)
    return found
