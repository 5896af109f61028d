"""Losses of one class among several: scores of shape (..., classes) beside labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError, HyperparameterError
from optshare.losses.arrays import array, on_host, real
from optshare.losses.classes import compared, is_probabilities
from optshare.losses.labels import checked, known
from optshare.losses.numerics import xlogy
from optshare.losses.reducing import Reduction, reduced
from optshare.losses.smoothing import label_smoothing as smoothed
from optshare.parameter import is_array

Numbers = np.ndarray[Any, Any]


def nll(
    scores: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The negative log likelihood of labels under scores that are not yet normalised.

    It applies log-softmax itself, as in Knet and Flux; PyTorch's `nll_loss`
    does not (its `cross_entropy` does). It is `crossentropy` without its other options:
    scores are of shape (..., classes), labels integers from 0, of shape (...).

    Raises:
        LabelError: a label is no integer, or not below the number of classes.

    >>> nll(np.zeros((2, 4)), np.array([0, 3]))
    np.float64(1.3862943611198906)
    """
    return crossentropy(scores, labels, weight=weight, mask=mask, reduction=reduction)


def crossentropy(
    scores: Any,
    target: Any,
    *,
    logits: bool = True,
    label_smoothing: float = 0.0,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The cross-entropy, -sum(t log(p)) over the classes, with p = softmax(scores).

    Args:
        scores: of shape (..., classes), not yet normalised. PyTorch has the classes on the
            second axis instead.
        target: labels, integers from 0 of shape (...); or t, an array of floating numbers of
            the shape of the scores.
        logits: `False` if the scores are probabilities already, as in Flux and Keras. One of 0
            that the target does not rule out costs infinity, for nothing is cut off; scores
            are better.
        label_smoothing: how much of each target is spread evenly over all classes, in [0, 1].
        weight: a factor for each class, of shape (classes,).
        mask: which rows count, truths or 0 and 1, broadcast to (...). A label that does not
            count may be any integer, such as -100.
        reduction: `"mean"`, which divides by the sum of the weights of the rows that count
            (of labels w[label], as PyTorch; of probabilities sum(t w), where PyTorch
            divides by the number of rows); `"sum"`; or `"none"` for one loss for each row.

    Raises:
        LabelError: a label is no integer, or not below the number of classes.
        DataError: shapes do not fit, a probability is not in [0, 1], or nothing is left to
            take the mean of.
        HyperparameterError: an option out of its range.

    >>> crossentropy(np.zeros((2, 4)), np.array([0, 3]), reduction="sum")
    np.float64(2.772588722239781)
    >>> crossentropy(np.zeros((2, 4)), np.array([0, -100]), mask=[True, False])
    np.float64(1.3862943611198906)
    >>> crossentropy(np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]]), logits=False)
    np.float64(0.6931471805599453)
    """
    if not 0 <= label_smoothing <= 1:
        raise HyperparameterError(f"label_smoothing must be in [0, 1], not {label_smoothing!r}")
    fused = weight is None and mask is None and logits and not label_smoothing
    if fused and len(getattr(target, "shape", ())) != len(scores.shape):
        ops = namespace_of(scores)  # what nearly every step of training calls
        labels = checked(ops, target, scores)
        losses = ops.nn.cross_entropy(scores, labels)
        if not ops.is_concrete(labels):
            losses = known(ops, labels, losses, scores.shape[-1])
        return reduced("crossentropy", ops, losses, reduction)
    classes = compared("crossentropy", scores, target, logits=logits, weight=weight, mask=mask)
    if classes.labels is not None and not label_smoothing:
        return classes.reduced(-classes.at_labels(classes.log_at_labels()), reduction)
    t = classes.shares()
    if label_smoothing:
        t = smoothed(t, label_smoothing)
    return classes.reduced(-classes.summed(t * classes.logs(t)), reduction)


def kldivergence(
    scores: Any,
    target: Any,
    *,
    logits: bool = True,
    weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
) -> Any:
    """The divergence of Kullback and Leibler (1951), sum(t log(t / p)), with p = softmax(scores).

    The target is t, probabilities of the shape of the scores; a class of probability 0 costs
    nothing. Arguments are those of `crossentropy`. With `logits=False` the scores are p, as in
    Flux and Keras; PyTorch's `kl_div` takes log(p), which are scores, too. The mean is over
    rows, PyTorch's `"batchmean"`.

    Raises:
        DataError: the shapes differ, a probability is not in [0, 1], or nothing is left to
            take the mean of.

    >>> kldivergence(np.zeros((1, 2)), np.array([[0.0, 1.0]]))
    np.float64(0.6931471805599453)
    >>> kldivergence(np.array([[0.25, 0.75]]), np.array([[0.25, 0.75]]), logits=False)
    np.float64(0.0)
    """
    scores, target = real("kldivergence", "prediction", scores), array(target)
    if not is_probabilities(target, scores):
        raise DataError(
            f"kldivergence of a target of {target.dtype} of shape {tuple(target.shape)} beside "
            f"scores of shape {tuple(scores.shape)}; it must be floating numbers of that shape"
        )
    classes = compared("kldivergence", scores, target, logits=logits, weight=weight, mask=mask)
    t = classes.shares()
    terms = xlogy(classes.ops, t, t) - t * classes.logs(t)
    return classes.reduced(classes.summed(terms), reduction)


def accuracy(scores: Any, labels: Any) -> float:
    """The share of labels whose score is the highest, from 0 to 1.

    Args:
        scores: (..., classes); or a model, which is called without recording.
        labels: the classes, counted from 0; beside a model the data, pairs of
            inputs and labels such as `minibatch` gives.

    Raises:
        LabelError: a label is no integer, or not below the number of classes.
        DataError: there are no data.

    >>> accuracy(np.array([[1., 0.], [1., 0.]]), np.array([0, 1]))
    0.5
    >>> from optshare import minibatch
    >>> x, y = np.array([[1., 0.], [0., 3.], [2., 0.]]), np.array([0, 1, 1])
    >>> accuracy(lambda x: 2 * x, minibatch(x, y, 2))
    0.6666666666666666
    """
    if is_array(scores) or not callable(scores):
        return float(np.mean(_right(scores, labels)))
    return float(np.mean(_right_of_all(scores, labels)))


def _right_of_all(model: Any, data: Any) -> Numbers:
    right = [_right(model(x), y) for x, y in data]
    if not right:
        raise DataError("accuracy: the data are empty, or a generator that was used up before")
    return np.concatenate(right)


def _right(scores: Any, labels: Any) -> Numbers:
    """Whether the highest score is that of the label, for each."""
    ops = namespace_of(scores)
    best: Any = ops.argmax(scores, axis=-1)
    return np.equal(on_host(best), checked(ops, labels, scores)).ravel()
