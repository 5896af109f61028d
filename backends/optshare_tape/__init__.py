"""The tape engine, in Flux's style: tracked variables and a backward pass.

>>> from optshare_tape import Variable, back
>>> x = Variable([1., 2.])
>>> back((x * x).sum())
>>> x.grad
array([2., 4.])
"""

from typing import TYPE_CHECKING

from optshare.extend import lazy_exports

if TYPE_CHECKING:
    from optshare_tape.results import (
        back,
        checkpoint,
        detach,
        differentiate,
        grad,
        gradient,
        primitive,
        value,
        zero_grad,
    )
    from optshare_tape.variable import Variable, no_grad, record

__all__ = [
    "Variable",
    "back",
    "checkpoint",
    "detach",
    "differentiate",
    "grad",
    "gradient",
    "no_grad",
    "primitive",
    "record",
    "value",
    "zero_grad",
]
__getattr__ = lazy_exports(
    __name__,
    results=(
        "back",
        "checkpoint",
        "detach",
        "differentiate",
        "grad",
        "gradient",
        "primitive",
        "value",
        "zero_grad",
    ),
    variable=("Variable", "no_grad", "record"),
)
