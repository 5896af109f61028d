"""Softmax cross-entropy, fused: scores and labels in, one loss for each label out."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from optshare.extend import Namespace, complete
from optshare_arrays.devices import beside, contiguous
from optshare_arrays.fused import Fused
from optshare_arrays.indexing import take_along_axis
from optshare_arrays.neural import log_softmax
from optshare_arrays.primitives import plain, unboxed
from optshare_arrays.shaping import squeeze
from optshare_arrays.untyped import np

_composed: Namespace = complete(
    SimpleNamespace(take_along_axis=take_along_axis, squeeze=squeeze, asarray=plain),
    nn=SimpleNamespace(log_softmax=log_softmax),
)
"""The functions that the definition is composed of."""


def _rows(labels: Any, classes: int) -> Any:
    """Where each label stands among all scores, flattened."""
    return beside(np.arange(0, labels.size * classes, classes), labels) + labels.ravel()


def _run(scores: Any, labels: Any) -> tuple[Any, Any]:
    """The losses; the softmax of the scores, and where the labels stand in it."""
    scores = contiguous(scores)
    shifted = scores - scores.max(axis=-1, keepdims=True)
    rows = _rows(labels, scores.shape[-1])
    picked = shifted.ravel()[rows].reshape(labels.shape)
    share = np.exp(shifted, out=shifted)
    total = share.sum(axis=-1)
    share /= total[..., None]
    return np.log(total) - picked, (share, rows)


def _backward(places: Sequence[int], g: Any, saved: Any, scores: Any, labels: Any) -> list[Any]:
    """(softmax - 1 at the label) * g."""
    share, rows = saved
    pulled = np.multiply(share, g[..., None], out=np.empty_like(share))
    pulled.ravel()[rows] -= g.ravel()
    return [pulled]


_cross_entropy = Fused(_composed.nn.cross_entropy, _run, _backward, name="cross_entropy")


def cross_entropy(scores: Any, labels: Any) -> Any:
    """The negative logarithm of the softmax of the scores at each label, one for each label."""
    return _cross_entropy(unboxed(scores), plain(labels))
