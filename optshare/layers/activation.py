"""Activation: a function of an array as a layer."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from optshare.errors import HyperparameterError, choices
from optshare.layers import activations
from optshare.layers.base import Layer


class Activation(Layer):
    """Applies a function, given as such or by the name of one of optshare's activations.

    Chains take functions as they are; this is for models that are described by text.

    Args:
        function: a function of an array, or a name such as `"relu"`.

    Shapes: those of the function. FLOPs: 1 for each element.

    Raises:
        HyperparameterError: no activation has this name.
        TypeError: it is neither a function nor a name.

    >>> import numpy as np
    >>> Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.])
    >>> Activation("rellu")
    Traceback (most recent call last):
    optshare.errors.HyperparameterError: Activation: there is no activation 'rellu'; choices: \
relu (did you mean this?), celu, elu, gelu, hardsigmoid, hardswish, hardtanh, leaky_relu, \
log_softmax, logsigmoid, mish, relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh, \
tanhshrink
    """

    def __init__(self, function: Callable[[Any], Any] | str) -> None:
        self.function = _named(function) if isinstance(function, str) else function
        if not callable(self.function):
            raise TypeError(f"Activation takes a function or a name, not {function!r}")

    def __call__(self, x: Any) -> Any:
        """The function of x."""
        return self.function(x)

    def given(self) -> tuple[Any, ...]:
        """The function."""
        return (self.function,)


def _named(name: str) -> Callable[[Any], Any]:
    known = {
        each: function
        for each, function in vars(activations).items()
        if isinstance(function, FunctionType) and function.__module__ == activations.__name__
    }
    if name not in known:
        raise HyperparameterError(
            f"Activation: there is no activation {name!r}; choices: {choices(known, name)}"
        )
    return known[name]
