"""The tape engine, in Flux's style: tracked variables and a backward pass.

>>> x = Variable([1., 2.])
>>> back((x * x).sum())
>>> x.grad
array([2., 4.])
"""

from optshare_tape.differentiate import back, checkpoint, differentiate, grad, gradient, value
from optshare_tape.variable import Variable, no_grad, record

__all__ = [
    "Variable",
    "back",
    "checkpoint",
    "differentiate",
    "grad",
    "gradient",
    "no_grad",
    "record",
    "value",
]
