"""A node of autograd's graph that keeps cotangents in the shape and dtype of its value."""

from __future__ import annotations

from typing import Any

from optshare.extend import EscapedValueError
from optshare_autograd.derivatives import cast
from optshare_autograd.library import anp, core, tracer, vjps


class Differentiation:
    """What the nodes of one differentiation have in common."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        self.closed = False
        """Whether it has ended: what it tracked may no longer be used."""


class Node(core.VJPNode):
    """Autograd's node, which knows the shape and dtype of its value's cotangent.

    Some of autograd's derivatives widen float32, and its `where` does not sum
    over what was broadcast.
    """

    __slots__ = ("dtype", "here", "shape")

    def __init__(
        self, value: Any, function: Any, args: Any, kwargs: Any, argnums: Any, parents: Any
    ) -> None:
        core.VJPNode.__init__(self, value, function, args, kwargs, argnums, parents)
        self.describe(value, parents[0].here)
        if self.here.closed:
            raise EscapedValueError(
                f"{function.__name__} was applied to a value of a differentiation that has ended; "
                f"return it from the function, or keep ops.stop_gradient(x)"
            )

    @classmethod
    def root(cls, value: Any, here: Differentiation) -> Node:
        """The node of an input."""
        node: Node = cls.new_root()
        node.describe(value, here)
        return node

    def describe(self, value: Any, here: Differentiation) -> None:
        """Take over the shape and dtype of a value, if it has them."""
        self.here = here
        self.shape = getattr(value, "shape", None)
        self.dtype = getattr(value, "dtype", None)

    def fitted(self, g: Any) -> Any:
        """A cotangent in the shape and dtype of the value."""
        if self.shape is None or self.dtype is None:
            return g
        if anp.shape(g) != self.shape and anp.ndim(g) >= len(self.shape):
            whole = self.dtype.kind == "c"
            g = vjps.unbroadcast(g, (self.shape, len(self.shape), self.dtype, whole))
        if self.dtype.kind == "f" and anp.iscomplexobj(g):
            g = anp.real(g)
        dtype = anp.result_type(g)
        same = dtype == self.dtype or not {dtype.kind, self.dtype.kind} <= set("fc")
        return g if same else cast(g, self.dtype)


tracer.notrace_primitives[Node] = tracer.notrace_primitives[core.VJPNode]
