"""LayerNorm and RMSNorm: normalisation of the last axes, the same in training and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.dtypes import dtype_name
from optshare.initializers import ones
from optshare.layers.base import Layer
from optshare.layers.checks import Activation, sizes_and_activation, unfit, whole
from optshare.layers.normalising import (
    Axes,
    moments,
    narrowed,
    normalised,
    require_eps,
    require_real,
    require_real_dtype,
    widened,
)
from optshare.layers.weights import bias as bias_of
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_sequence
from optshare.orientation import NO_MATRIX, Fans
from optshare.recipes import Sizes


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
        require_real_dtype(name, dtype)
        self.affine = bool(affine)
        self._sizes: Sizes = self._given or (None,)
        self.weight = bias_of(self._sizes, dtype, ones) if affine else None
        self.bias = bias_of(self._sizes, dtype) if affine and self.biased else None

    def __fans__(self) -> dict[str, Fans]:
        """Neither is a matrix, however many axes it has."""
        return {"weight": NO_MATRIX, "bias": NO_MATRIX}

    def given(self) -> tuple[Any, ...]:
        """The sizes, and the activation."""
        return (*self._given, *([] if self.activation is None else [self.activation]))

    def _axes_of(self, x: Any) -> Axes:
        """The axes of an input to normalise over; raises `DataError` if it does not fit."""
        boxes = [box for box in (self.weight, self.bias) if box is not None]
        known = next((box for box in boxes if box.built), None)
        wanted = self._sizes if known is None else known.shape
        last: tuple[int, ...] = tuple(getattr(x, "shape", ())[-len(wanted) :])
        if known is None or last != wanted or x.dtype != known.dtype:
            self._require(x, last, wanted)
        for box in boxes:
            if not box.built:
                box.build(last)
        return tuple(range(-len(wanted), 0))

    def _require(self, x: Any, last: tuple[int, ...], wanted: Sizes) -> None:
        """Raise unless the last axes have these sizes, or one of any size for `None`."""
        require_real(self, x)
        if last != wanted and (wanted != (None,) or last in ((), (0,))):
            what = "last axis is not empty" if wanted == (None,) else f"last axes have {wanted}"
            raise unfit(self, f"an array whose {what}", x)

    def _output(self, ops: Namespace, centred: Any, variance: Any, eps: float, x: Any) -> Any:
        weight, bias = (None if box is None else box.value for box in (self.weight, self.bias))
        y = narrowed(ops, normalised(ops, centred, variance, eps, weight, bias), x, self.weight)
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

    Shapes: (..., *sizes) to the same. FLOPs: 5 for each element, 7 if affine, and
    5 for each mean.

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
        _, centred, variance = moments(ops, widened(ops, x), axes)
        return self._output(ops, centred, variance, self.eps, x)


class RMSNorm(LastAxesNorm):
    """Divides by the root mean square of the last axes: x / sqrt(mean(x**2) + eps) * weight.

    `RMSNorm()`, `RMSNorm(features)` or `RMSNorm(5, 10)`, each with an activation behind it or none.

    Args:
        sizes: of the last axes, one by one or as one shape.
        activation: a function of an array; none by default.
        eps: is added to the mean square; by default, as in PyTorch, the machine epsilon of
            the dtype that it computes in: 1.2e-7 for float32 and half precision, 2.2e-16 for
            float64.
        affine: whether there is a weight (at first 1) for each element of these axes.
        dtype: of the weight.

    Shapes: (..., *sizes) to the same. FLOPs: 3 for each element, 4 if affine, and
    4 for each mean.

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
        wide = widened(ops, x)
        mean_square = ops.mean(ops.square(wide), axis=axes, keepdims=True)
        eps = float(np.finfo(dtype_name(wide.dtype)).eps) if self.eps is None else self.eps
        return self._output(ops, wide, mean_square, eps, x)
