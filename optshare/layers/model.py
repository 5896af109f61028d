"""Model: Knet's convention of what a call with 0, 1 or 2 arguments means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from optshare.layers.base import Layer
from optshare.tree import params


class Model(Layer):
    """`f()` iterates over the parameters, `f(x)` predicts, `f(x, y)` is the loss.

    A subclass defines `predict(x)` and `loss(x, y)`.

    >>> from optshare import Parameter, mse
    >>> class Line(Model):
    ...     def __init__(self):
    ...         self.w, self.b = Parameter([[2.0]]), Parameter([1.0])
    ...     def predict(self, x):
    ...         return x @ self.w + self.b
    ...     def loss(self, x, y):
    ...         return mse(self(x), y)
    >>> import numpy as np
    >>> line = Line()
    >>> line(np.array([[3.0]]))
    array([[7.]])
    >>> [w.shape for w in line()]
    [(1, 1), (1,)]
    """

    def predict(self, x: Any) -> Any:
        """The prediction for an input."""
        raise NotImplementedError(f"{type(self).__name__} defines no predict(x)")

    def loss(self, x: Any, y: Any) -> Any:
        """The loss of the prediction for x, against y."""
        raise NotImplementedError(f"{type(self).__name__} defines no loss(x, y)")

    def __call__(self, *args: Any) -> Any:
        """The parameters, a prediction, or the loss."""
        calls = {0: self._parameters, 1: self.predict, 2: self.loss}
        if len(args) not in calls:
            raise TypeError(
                f"{type(self).__name__} is called with (), (x) or (x, y), not {len(args)} arguments"
            )
        return calls[len(args)](*args)

    def _parameters(self) -> Iterator[Any]:
        return iter(params(self))
