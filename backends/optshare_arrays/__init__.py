"""Differentiable array functions over NumPy and CuPy: the library that both bundled engines use.

It is no plugin: an engine gives it a `Tracked` subclass whose `record` says
what to do with a primitive, and takes `namespace` as its `ops`.
"""

from optshare_arrays.differentiation import checked_seed, detacher, own, settled, vjp
from optshare_arrays.graph import Leaf, Node, Scope, next_level
from optshare_arrays.namespace import ops
from optshare_arrays.primitives import Primitive, Traceable, plain, primitive, unboxed
from optshare_arrays.recompute import checkpoint, custom_vjp
from optshare_arrays.tracked import Tracked
from optshare_arrays.transforms import grad, gradient, value_and_grad

__all__ = [
    "Leaf",
    "Node",
    "Primitive",
    "Scope",
    "Traceable",
    "Tracked",
    "checked_seed",
    "checkpoint",
    "custom_vjp",
    "detacher",
    "grad",
    "gradient",
    "next_level",
    "ops",
    "own",
    "plain",
    "primitive",
    "settled",
    "unboxed",
    "value_and_grad",
    "vjp",
]
