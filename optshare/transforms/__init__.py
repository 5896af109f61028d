"""Transforms: what acts on all gradients at once, before the rule."""

from optshare.norms import global_norm
from optshare.rules.transform import Given, Transform, Transformed
from optshare.transforms.accumulate import Accumulate
from optshare.transforms.clip import ClipGlobalNorm
from optshare.transforms.finite import SkipNonFinite
from optshare.transforms.loss_scale import DynamicLossScale, LossScale
from optshare.transforms.sam import SAM

__all__ = [
    "SAM",
    "Accumulate",
    "ClipGlobalNorm",
    "DynamicLossScale",
    "Given",
    "LossScale",
    "SkipNonFinite",
    "Transform",
    "Transformed",
    "global_norm",
]
