"""The functional engine, in Knet's style: `grad(f)` of pure functions, to any order.

>>> import numpy as np
>>> from optshare_functional import grad
>>> grad(lambda x: np.sin(x).sum())(np.zeros(2))
array([1., 1.])
"""

from typing import TYPE_CHECKING

from optshare.extend import lazy_exports

if TYPE_CHECKING:
    from optshare_functional.transforms import (
        checkpoint,
        custom_vjp,
        grad,
        gradient,
        hessian,
        hvp,
        jacobian,
        jvp,
        primitive,
        value_and_grad,
        vjp,
    )

__all__ = [
    "checkpoint",
    "custom_vjp",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "primitive",
    "value_and_grad",
    "vjp",
]
__getattr__ = lazy_exports(__name__, transforms=tuple(__all__))
