"""Differentiable array functions over NumPy and CuPy: the library that both bundled engines use.

It is no plugin: an engine gives `Scope` a subclass of `Tracked`, the kind of its
values, and takes `namespace` as its `ops`. The modules
imported here by name register what stands for NumPy's functions.
"""

from optshare_arrays import differences as differences
from optshare_arrays import in_place as in_place
from optshare_arrays import numpy_elementwise as numpy_elementwise
from optshare_arrays import numpy_products as numpy_products
from optshare_arrays import numpy_shapes as numpy_shapes
from optshare_arrays.backend import ArraysBackend
from optshare_arrays.custom import primitive
from optshare_arrays.differentiation import checked_seed, detacher, own, settled, vjp
from optshare_arrays.graph import Scope, next_level
from optshare_arrays.hooks import Handle, Hooks
from optshare_arrays.namespace import ops
from optshare_arrays.nodes import Leaf, hooks_of
from optshare_arrays.parts import turned
from optshare_arrays.primitives import Primitive, Traceable, plain, unboxed
from optshare_arrays.recompute import checkpoint, custom_vjp
from optshare_arrays.tracked import Tracked
from optshare_arrays.transforms import (
    Auxiliary,
    Chosen,
    grad,
    gradient,
    positions,
    value_and_grad,
)

__all__ = [
    "ArraysBackend",
    "Auxiliary",
    "Chosen",
    "Handle",
    "Hooks",
    "Leaf",
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
    "hooks_of",
    "next_level",
    "ops",
    "own",
    "plain",
    "positions",
    "primitive",
    "settled",
    "turned",
    "unboxed",
    "value_and_grad",
    "vjp",
]
