"""Level 5: losses, written once, on this backend's arrays, beside formulas in NumPy."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from optshare import losses
from optshare.differences import PLACES, five_point
from optshare.testing import formulas
from optshare.testing.check import check, require_close
from optshare.testing.subject import Subject

LOSSES = "A new backend gets every loss from its ops."
LEFT_OUT = "What a loss's mask leaves out is in neither its value nor its gradient."
STEP = 1e-3
"""At which five-point differences of these formulas are right to 1e-8."""

RNG = np.random.default_rng(4)
NUMBERS, OTHERS = RNG.normal(size=(2, 4, 3))
SHARES, OTHER_SHARES = RNG.uniform(0.1, 0.9, size=(2, 4, 3))
SOFT = RNG.dirichlet(np.ones(3), size=4)
BITS = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 0]])
LABELS = np.array([0, 2, 1, 1])
SEQUENCES = RNG.normal(size=(2, 4, 3))

Formula = Callable[[Any, Any], Any]

CASES: dict[str, tuple[Callable[..., Any], Formula, Any, Any]] = {
    "mae": (losses.mae, lambda x, y: np.abs(x - y), NUMBERS, OTHERS),
    "msle": (losses.msle, lambda x, y: np.log((1 + x) / (1 + y)) ** 2, SHARES, OTHER_SHARES),
    "huber": (losses.huber, formulas.huber, 2 * NUMBERS, OTHERS),
    "poisson": (losses.poisson, lambda x, y: x - y * np.log(x), SHARES, BITS),
    "crossentropy": (
        partial(losses.crossentropy, label_smoothing=0.1),
        partial(formulas.smoothed, amount=0.1),
        NUMBERS,
        LABELS,
    ),
    "kldivergence": (losses.kldivergence, formulas.kldivergence, NUMBERS, SOFT),
    "focal": (losses.focal, formulas.focal, NUMBERS, LABELS),
    "binarycrossentropy": (losses.binarycrossentropy, formulas.binary, NUMBERS, SHARES),
    "binary_focal": (losses.binary_focal, formulas.binary_focal, NUMBERS, BITS),
    "hinge": (losses.hinge, formulas.hinge, NUMBERS, 2 * BITS - 1),
    "squared_hinge": (
        losses.squared_hinge,
        lambda x, y: formulas.hinge(x, y) ** 2,
        NUMBERS,
        2 * BITS - 1,
    ),
    "contrastive": (losses.contrastive, formulas.contrastive, 2 * OTHER_SHARES, BITS),
    "dice": (losses.dice, formulas.dice, SHARES, BITS),
    "tversky": (losses.tversky, formulas.tversky, SHARES, BITS),
}


@check("loss.nll", 5, "`nll(scores, labels)` applies log-softmax.")
def _nll(subject: Subject) -> None:
    found = subject.gradients(lambda s: losses.nll(s, subject.array(LABELS)), NUMBERS)
    logs, hot = formulas.log_softmax(NUMBERS), np.eye(3)[LABELS]
    require_close(found[0], formulas.nll(NUMBERS, LABELS).mean(), "the loss")
    require_close(found[1], (np.exp(logs) - hot) / 4, "its gradient")


@check("loss.mse", 5, "`mse` is the mean of the squared differences.")
def _mse(subject: Subject) -> None:
    found = subject.gradients(lambda p: losses.mse(p, subject.array(OTHERS)), NUMBERS)
    require_close(found[0], ((NUMBERS - OTHERS) ** 2).mean(), "the loss")
    require_close(found[1], 2 * (NUMBERS - OTHERS) / NUMBERS.size, "its gradient")


@check("loss", 5, LOSSES, cases=CASES)
def _loss(
    subject: Subject, loss: Callable[..., Any], formula: Formula, x: Any, target: Any
) -> None:
    found = subject.gradients(lambda p: loss(p, subject.array(target)), x)
    require_close(found[0], formula(x, target).mean(), "the loss")
    slope = _slope(lambda p: formula(p, target).mean(), x)
    require_close(found[1], slope, "its gradient", 1e-8)


@check("loss.ctc", 5, LOSSES, after="gradient.exp")
def _ctc(subject: Subject) -> None:
    _loss(subject, losses.ctc, formulas.ctc, SEQUENCES, np.array([[1, 2], [2, 2]]))


@check("loss.masked", 5, LEFT_OUT)
def _masked(subject: Subject) -> None:
    mask, weight = np.array([True, False, True, True])[:, None], SHARES
    target = np.where(mask, OTHERS, np.nan)
    given = {"mask": subject.array(mask), "weight": subject.array(weight)}
    found = subject.gradients(lambda p: losses.mse(p, subject.array(target), **given), NUMBERS)
    share = mask * weight / (mask * weight).sum()
    require_close(found[0], (share * (NUMBERS - OTHERS) ** 2).sum(), "the weighted mean")
    require_close(found[1], share * 2 * (NUMBERS - OTHERS), "its gradient")


def _slope(fn: Callable[[Any], Any], x: Any) -> Any:
    """The gradient by differences."""
    slope = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        unit = np.zeros_like(x)
        unit[place] = STEP
        slope[place] = five_point([float(fn(x + each * unit)) for each in PLACES], STEP)
    return slope
