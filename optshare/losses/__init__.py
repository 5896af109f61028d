"""Losses: scalars of predictions and targets, on any engine.

The prediction comes first, then the target; everything else is named. All have `reduction=`,
`mask=` and `weight=`. docs/losses.md has the table.
"""

from optshare.losses.binary import binarycrossentropy, hinge, squared_hinge
from optshare.losses.classification import accuracy, crossentropy, kldivergence, nll
from optshare.losses.contrastive import contrastive, pairwise_distance
from optshare.losses.ctc import ctc
from optshare.losses.focal import binary_focal, focal
from optshare.losses.reducing import Reduction
from optshare.losses.regression import huber, mae, mse, msle, poisson
from optshare.losses.segmentation import dice, tversky
from optshare.losses.smoothing import label_smoothing

__all__ = [
    "Reduction",
    "accuracy",
    "binary_focal",
    "binarycrossentropy",
    "contrastive",
    "crossentropy",
    "ctc",
    "dice",
    "focal",
    "hinge",
    "huber",
    "kldivergence",
    "label_smoothing",
    "mae",
    "mse",
    "msle",
    "nll",
    "pairwise_distance",
    "poisson",
    "squared_hinge",
    "tversky",
]
