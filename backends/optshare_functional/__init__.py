"""The functional engine, in Knet's style: `grad(f)` of pure functions, to any order.

>>> import numpy as np
>>> grad(lambda x: np.sin(x).sum())(np.zeros(2))
array([1., 1.])
"""

from optshare_functional.transforms import (
    checkpoint,
    custom_vjp,
    grad,
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
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
    "value_and_grad",
    "vjp",
]
