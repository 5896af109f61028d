"""Model: Knet's convention of what a call with 0, 1 or 2 arguments means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from optshare.layers.base import Layer
from optshare.layers.chain import Chain
from optshare.losses import nll
from optshare.tree import params


class _ByLayer:
    """The parameters, in one list for each layer of the chain; gives way to an attribute."""

    def __get__(self, model: Any, kind: Any = None) -> Any:
        if model is None:
            return self
        layers = list(model.chain) if isinstance(model.chain, Chain) else [model.chain]
        return [params(layer) for layer in layers]


class Model(Layer):
    """`f()` iterates over the parameters, `f(x)` predicts, `f(x, y)` is the loss.

    `Model(chain)` predicts with the chain, its loss is `nll`, and its `w` the
    parameters in one list for each layer; a subclass
    defines `predict(x)` and `loss(x, y)`.

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

    chain: Any = None

    def __init__(self, chain: Callable[..., Any] | None = None) -> None:
        self.chain = chain

    w = _ByLayer()

    def predict(self, x: Any) -> Any:
        """The prediction for an input."""
        if self.chain is None:
            raise NotImplementedError(f"{type(self).__name__} defines no predict(x)")
        return self.chain(x)

    def loss(self, x: Any, y: Any) -> Any:
        """The loss of the prediction for x, against y."""
        if self.chain is None:
            raise NotImplementedError(f"{type(self).__name__} defines no loss(x, y)")
        return nll(self(x), y)

    def given(self) -> tuple[Any, ...]:
        """The chain."""
        return () if self.chain is None else (self.chain,)

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
