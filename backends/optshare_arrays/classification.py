"""Softmax cross-entropy, fused: scores and labels in, one loss for each label out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare_arrays.devices import beside
from optshare_arrays.elementwise import exp
from optshare_arrays.neural import log_softmax
from optshare_arrays.primitives import Primitive, Traceable, plain
from optshare_arrays.shaping import expand_dims
from optshare_arrays.untyped import np


def _rows(labels: Any, classes: int) -> Any:
    """Where each label stands among all scores, flattened."""
    return beside(np.arange(0, labels.size * classes, classes), labels) + labels.ravel()


def _normalized(scores: Any, labels: Any) -> tuple[Any, Any]:
    """The losses, and the softmax of the scores."""
    scores = scores if scores.flags.c_contiguous else scores.copy()
    shifted = scores - scores.max(axis=-1, keepdims=True)
    picked = shifted.ravel()[_rows(labels, scores.shape[-1])].reshape(labels.shape)
    share = np.exp(shifted, out=shifted)
    total = share.sum(axis=-1)
    share /= total[..., None]
    return np.log(total) - picked, share


def _composed(g: Any, scores: Any, labels: Any) -> Any:
    """The cotangent of the scores, in differentiable operations."""
    target = np.zeros_like(plain(scores), shape=(scores.size,))
    target[_rows(labels, scores.shape[-1])] = 1
    target = target.reshape(scores.shape)
    return expand_dims(g, -1) * (exp(log_softmax(scores)) - target)


def _pull(
    places: Sequence[int],
    g: Any,
    losses: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Sequence[Any]:
    scores, labels = args
    if "saved" not in kwargs or isinstance(g, Traceable) or isinstance(scores, Traceable):
        return [_composed(g, scores, labels)]
    share = kwargs["saved"]
    pulled = np.multiply(share, g[..., None], out=np.empty_like(share))
    pulled.ravel()[_rows(labels, scores.shape[-1])] -= g.ravel()
    return [pulled]


class _CrossEntropy(Primitive):
    """The negative logarithm of the softmax of the scores at each label."""

    saves = True

    def __init__(self) -> None:
        super().__init__(
            lambda scores, labels: _normalized(scores, labels)[0], name="cross_entropy"
        )
        self.pull = _pull

    def run(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The losses, and the softmax."""
        return _normalized(*args)


_cross_entropy = _CrossEntropy()


def cross_entropy(scores: Any, labels: Any) -> Any:
    """The negative logarithm of the softmax of the scores at each label, one for each label."""
    return _cross_entropy(scores, plain(labels))
