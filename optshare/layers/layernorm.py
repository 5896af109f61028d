"""LayerNorm and RMSNorm: normalisation of the last axes, the same in training and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.initializers import ones
from optshare.layers.base import Layer
from optshare.layers.checks import Activation, require_floating, sizes_and_activation, unfit, whole
from optshare.layers.normalising import Axes, moments, normalised, require_eps
from optshare.layers.weights import bias as bias_of
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_sequence
from optshare.recipes import Sizes
from optshare.state import dtype_name


class LastAxesNorm(Layer):
    """What both share: the sizes of the last axes, and parameters of that shape."""

    biased = True
    """Whether there is a bias beside the weight."""

    def _begin(
        self, sizes: Sequence[Any], activation: Activation | None, affine: bool, dtype: Any
    ) -> None:
        """Keep the arguments that both have, and make the parameters."""
        name = type(self).__name__
        listed, self.activation = sizes_and_activation(name, sizes, activation)
        first: Any = listed[0] if len(listed) == 1 else None
        self._given: tuple[int, ...] = tuple(first if is_sequence(first) else listed)
        for size in self._given:
            whole(name, size=size)
        self.affine = bool(affine)
        self._sizes: Sizes = self._given or (None,)
        self.weight = bias_of(self._sizes, dtype, ones) if affine else None
        self.bias = bias_of(self._sizes, dtype) if affine and self.biased else None

    def given(self) -> tuple[Any, ...]:
        """The sizes, and the activation."""
        return (*self._given, *([] if self.activation is None else [self.activation]))

    def _axes_of(self, x: Any) -> Axes:
        """The axes of an input to normalise over; raises `DataError` if it does not fit."""
        weight, count = self.weight, len(self._sizes)
        last = getattr(x, "shape", ())[-count:]
        if weight is None or last != weight.shape or x.dtype != weight.dtype:
            self._fit(x, self._sizes if weight is None else weight.shape)
        return tuple(range(-count, 0))

    def _fit(self, x: Any, wanted: Sizes) -> None:
        """Take the size of the last axis if none was given, and else say that it does not fit."""
        last = require_floating(self, x)[-len(wanted) :]
        if last != wanted and (wanted != (None,) or last in ((), (0,))):
            what = "last axis is not empty" if wanted == (None,) else f"last axes have {wanted}"
            raise unfit(self, f"an array whose {what}", x)
        for box in (self.weight, self.bias):
            if box is not None and not box.built:
                box.build(last)

    def _output(self, ops: Namespace, centred: Any, variance: Any, eps: float) -> Any:
        weight, bias = (None if box is None else box.value for box in (self.weight, self.bias))
        y = normalised(ops, centred, variance, eps, weight, bias)
        return y if self.activation is None else self.activation(y)


class LayerNorm(LastAxesNorm):
    """Normalises over the last axes: (x - mean) / sqrt(var + eps) * weight + bias.

    `LayerNorm()` takes the last axis, `LayerNorm(features)` one of that size, `LayerNorm(5, 10)`
    or `LayerNorm((5, 10))` the last two; each may have an activation behind.

    Args:
        sizes: of the last axes, one by one or as one shape.
        activation: a function of an array; none by default.
        eps: is added to the variance, which is the biased one.
        affine: whether there are a weight (at first 1) and a bias (at first 0) for each element
            of these axes.
        dtype: of the parameters.

    Shapes: (..., *sizes) to the same. FLOPs: 5 for each element, 7 if affine.

    Raises:
        DataError: when called, the last axes have other sizes, or integers.
        HyperparameterError: eps out of range.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016.

    >>> LayerNorm(dtype="float64")(np.array([[1.0, 3.0]])).round(3)
    array([[-1.,  1.]])
    """

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        require_eps("LayerNorm", eps)
        self._begin(sizes, activation, affine, dtype)
        self.eps = eps

    def __call__(self, x: Any) -> Any:
        """The output, of the shape of the input."""
        axes, ops = self._axes_of(x), namespace_of(x)
        _, centred, variance = moments(ops, x, axes)
        return self._output(ops, centred, variance, self.eps)


class RMSNorm(LastAxesNorm):
    """Divides by the root mean square of the last axes: x / sqrt(mean(x**2) + eps) * weight.

    `RMSNorm()`, `RMSNorm(features)` or `RMSNorm(5, 10)`, each with an activation behind it or none.

    Args:
        sizes: of the last axes, one by one or as one shape.
        activation: a function of an array; none by default.
        eps: is added to the mean square; by default, as in PyTorch, the machine epsilon of the
            input's dtype (1.2e-7 for float32, 2.2e-16 for float64).
        affine: whether there is a weight (at first 1) for each element of these axes.
        dtype: of the weight.

    Shapes: (..., *sizes) to the same. FLOPs: 3 for each element, 4 if affine.

    Raises:
        DataError: when called, the last axes have other sizes, or integers.
        HyperparameterError: eps out of range.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> RMSNorm(dtype="float64")(np.array([[3.0, 4.0]])).round(3)
    array([[0.849, 1.131]])
    """

    biased = False

    def __init__(
        self,
        *sizes: Any,
        activation: Activation | None = None,
        eps: float | None = None,
        affine: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        if eps is not None:
            require_eps("RMSNorm", eps)
        self._begin(sizes, activation, affine, dtype)
        self.eps = eps

    def __call__(self, x: Any) -> Any:
        """The output, of the shape of the input."""
        axes, ops = self._axes_of(x), namespace_of(x)
        mean_square = ops.mean(ops.square(x), axis=axes, keepdims=True)
        eps = machine_epsilon(x.dtype) if self.eps is None else self.eps
        return self._output(ops, x, mean_square, eps)


def machine_epsilon(dtype: Any) -> float:
    """The distance from 1 to the next number of a floating dtype of any engine.

    >>> machine_epsilon(np.dtype("float64"))
    2.220446049250313e-16
    """
    name = dtype_name(dtype)
    return 2.0**-7 if name == "bfloat16" else float(np.finfo(name).eps)
