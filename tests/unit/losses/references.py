"""Each loss beside its formula in PyTorch: one number for each element, not yet reduced.

Where PyTorch has no function of it, the formula is Flux's or Keras's, written out.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from optshare import losses

F = torch.nn.functional
RNG = np.random.default_rng(7)
SHAPE = (3, 4)
NUMBERS, OTHERS = RNG.normal(size=(2, *SHAPE))
SHARES, OTHER_SHARES = RNG.uniform(0.05, 0.95, size=(2, *SHAPE))
DISTRIBUTIONS = RNG.dirichlet(np.ones(4), size=3)
SOFT = RNG.dirichlet(np.ones(4), size=3)
LABELS = np.array([3, 0, 2])
SIGNS = np.where(RNG.normal(size=SHAPE) > 0, 1, -1)
BITS = (SIGNS + 1) // 2

ELEMENT_WEIGHT = RNG.uniform(0.5, 2, size=SHAPE)
ELEMENT_MASK = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0]], bool)
CLASS_WEIGHT = RNG.uniform(0.5, 2, size=4)
ROW_MASK = np.array([True, False, True])


def tensor(x):
    return torch.as_tensor(x)


def msle(p, t):
    return (torch.log(p + 1) - torch.log(t + 1)) ** 2  # keras.losses.mean_squared_logarithmic_error


def poisson(p, t):
    return F.poisson_nll_loss(p, t, log_input=False, eps=0.0, reduction="none")


def hinge(p, t):
    return torch.relu(1 - t * p)  # Flux.Losses.hinge_loss


def contrastive(p, t):
    return (1 - t) * p**2 + t * torch.relu(1 - p) ** 2  # Flux.Losses.siamese_contrastive_loss


def binary(p, t):
    return F.binary_cross_entropy_with_logits(p, t.double(), reduction="none")


def binary_shares(p, t):
    return F.binary_cross_entropy(p, t.double(), reduction="none")


def binary_focal(p, t):
    """torchvision.ops.sigmoid_focal_loss without alpha."""
    p_t = torch.sigmoid(p) * t + (1 - torch.sigmoid(p)) * (1 - t)
    return binary(p, t) * (1 - p_t) ** 2


def binary_focal_shares(p, t):
    return binary_shares(p, t) * (1 - (p * t + (1 - p) * (1 - t))) ** 2


def none(function, **options):
    return lambda p, t: function(p, t, reduction="none", **options)


def hot(t):
    return t if t.is_floating_point() else F.one_hot(t, 4).double()


def cross(p, t, w):
    return -(w * hot(t) * F.log_softmax(p, -1)).sum(-1)


def cross_shares(p, t, w):
    return -(w * hot(t) * torch.log(p)).sum(-1)


def smoothed(p, t, w):
    return -(w * (0.8 * hot(t) + 0.05) * F.log_softmax(p, -1)).sum(-1)


def divergence(p, t, w):
    return (w * F.kl_div(F.log_softmax(p, -1), t, reduction="none")).sum(-1)


def divergence_shares(p, t, w):
    return (w * F.kl_div(torch.log(p), t, reduction="none")).sum(-1)


def focal(p, t, w):
    """Flux.Losses.focal_loss, of softmax(p)."""
    return focal_shares(torch.softmax(p, -1), t, w)


def focal_shares(p, t, w):
    return -(w * hot(t) * (1 - p) ** 2 * torch.log(p)).sum(-1)


def dice(p, t, counts):
    """Flux.Losses.dice_coeff_loss, of each sample."""
    both, each = (counts * p * t).sum(-1), (counts * (p**2 + t**2)).sum(-1)
    return 1 - (2 * both + 1) / (each + 1)


def tversky(p, t, counts):
    """Flux.Losses.tversky_loss, of each sample."""
    num = (counts * p * t).sum(-1) + 1
    return 1 - num / ((counts * (t * p + 0.7 * t * (1 - p) + 0.3 * (1 - t) * p)).sum(-1) + 1)


@dataclass(frozen=True)
class Case:
    """A loss with its reference, and data.

    Args:
        kind: "elements", "classes" or "overlap": what weights and masks belong to.
    """

    kind: str
    loss: Any
    formula: Any
    prediction: Any
    target: Any
    options: dict = field(default_factory=dict)

    def ours(self, prediction, **options):
        return self.loss(prediction, self.target, **self.options, **options)

    def given(self, weighted, masked):
        """Its weight and its mask, or none."""
        classes = self.kind == "classes"
        weight, mask = (CLASS_WEIGHT, ROW_MASK) if classes else (ELEMENT_WEIGHT, ELEMENT_MASK)
        return (weight if weighted else None), (mask if masked else None)

    def reference(self, p, weight, mask, reduction):
        t = tensor(self.target)
        keep = torch.tensor(1.0) if mask is None else tensor(mask).double()
        w = torch.ones(4).double() if weight is None else tensor(weight)
        if self.kind == "overlap":
            found = self.formula(p, t, (w * keep).expand(p.shape))
            return getattr(torch, reduction)(found) if reduction != "none" else found
        if self.kind == "classes":
            found = self.formula(p, t, w) * keep
            counts = (w * hot(t)).sum(-1) * keep if weight is not None else keep
        else:
            found = self.formula(p, t) * w * keep
            counts = w * keep
        if reduction == "none":
            return found
        counts = counts.expand(found.shape)
        return found.sum() if reduction == "sum" else found.sum() / counts.sum()


def elements(*args, **options):
    return Case("elements", *args, options)


def classes(*args, **options):
    return Case("classes", *args, options)


CASES = {
    "mse": elements(losses.mse, none(F.mse_loss), NUMBERS, OTHERS),
    "mae": elements(losses.mae, none(F.l1_loss), NUMBERS, OTHERS),
    "msle": elements(losses.msle, msle, SHARES, OTHER_SHARES),
    "huber": elements(losses.huber, none(F.huber_loss, delta=0.7), NUMBERS, OTHERS, delta=0.7),
    "poisson": elements(losses.poisson, poisson, SHARES, np.floor(3 * OTHER_SHARES)),
    "hinge": elements(losses.hinge, hinge, NUMBERS, SIGNS),
    "squared_hinge": elements(losses.squared_hinge, lambda p, t: hinge(p, t) ** 2, NUMBERS, SIGNS),
    "contrastive": elements(losses.contrastive, contrastive, SHARES * 2, BITS),
    "binarycrossentropy": elements(losses.binarycrossentropy, binary, NUMBERS, SHARES),
    "binarycrossentropy of bits": elements(losses.binarycrossentropy, binary, NUMBERS, BITS),
    "binarycrossentropy of shares": elements(
        losses.binarycrossentropy, binary_shares, SHARES, OTHER_SHARES, logits=False
    ),
    "binary_focal": elements(losses.binary_focal, binary_focal, NUMBERS, BITS),
    "binary_focal of shares": elements(
        losses.binary_focal, binary_focal_shares, SHARES, BITS, logits=False
    ),
    "nll": classes(losses.nll, cross, NUMBERS, LABELS),
    "crossentropy": classes(losses.crossentropy, cross, NUMBERS, LABELS),
    "crossentropy soft": classes(losses.crossentropy, cross, NUMBERS, SOFT),
    "crossentropy of shares": classes(
        losses.crossentropy, cross_shares, DISTRIBUTIONS, LABELS, logits=False
    ),
    "crossentropy of shares, soft": classes(
        losses.crossentropy, cross_shares, DISTRIBUTIONS, SOFT, logits=False
    ),
    "crossentropy smoothed": classes(
        losses.crossentropy, smoothed, NUMBERS, LABELS, label_smoothing=0.2
    ),
    "crossentropy soft, smoothed": classes(
        losses.crossentropy, smoothed, NUMBERS, SOFT, label_smoothing=0.2
    ),
    "kldivergence": classes(losses.kldivergence, divergence, NUMBERS, SOFT),
    "kldivergence of shares": classes(
        losses.kldivergence, divergence_shares, DISTRIBUTIONS, SOFT, logits=False
    ),
    "focal": classes(losses.focal, focal, NUMBERS, LABELS),
    "focal soft": classes(losses.focal, focal, NUMBERS, SOFT),
    "focal of shares": classes(losses.focal, focal_shares, DISTRIBUTIONS, LABELS, logits=False),
    "focal of shares, soft": classes(losses.focal, focal_shares, DISTRIBUTIONS, SOFT, logits=False),
    "dice": Case("overlap", losses.dice, dice, SHARES, BITS),
    "tversky": Case("overlap", losses.tversky, tversky, SHARES, OTHER_SHARES),
}
