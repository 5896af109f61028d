"""Cases of the normalisations, in training and in prediction."""

# Lambdas in a table are not annotated.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from optshare.layers import (
    BatchNorm,
    Chain,
    Dense,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
    relu,
)
from optshare.testing.layer_cases.case import Case, case

CASES: dict[str, Case] = {
    "batch_norm.training": case(lambda: BatchNorm(3, relu), (4, 3, 2, 3), training=True),
    "batch_norm.recording": case(lambda: BatchNorm(3, momentum=0.3), (5, 3), training=None),
    "batch_norm.prediction": case(lambda: BatchNorm(3), (4, 3, 2, 3)),
    "batch_norm.features": case(lambda: BatchNorm(3, momentum=0.4), (5, 3), training=True),
    "batch_norm.one": case(lambda: BatchNorm(3, eps=0.1), (1, 3, 4), training=True),
    "batch_norm.not_affine": case(
        lambda: Chain(Dense(4, 3), BatchNorm(3, affine=False)), (5, 4), training=True
    ),
    "batch_norm.untracked": case(lambda: BatchNorm(3, track=False), (5, 3)),
    "batch_norm.empty": case(lambda: BatchNorm(3), (0, 3, 2)),
    "layer_norm": case(lambda: LayerNorm(5), (3, 2, 5)),
    "layer_norm.two_axes": case(lambda: LayerNorm(2, 5, relu), (3, 2, 5)),
    "layer_norm.not_affine": case(lambda: LayerNorm(5, affine=False, eps=0.1), (1, 5)),
    "layer_norm.empty": case(lambda: LayerNorm(5), (0, 5)),
    "rms_norm": case(lambda: RMSNorm(5), (3, 2, 5)),
    "rms_norm.two_axes": case(lambda: RMSNorm((2, 5), relu, eps=0.1), (3, 2, 5)),
    "rms_norm.not_affine": case(lambda: RMSNorm(5, affine=False), (1, 5)),
    "rms_norm.empty": case(lambda: RMSNorm(5), (0, 5)),
    "group_norm": case(lambda: GroupNorm(2, 4, relu), (3, 4, 3, 2)),
    "group_norm.features": case(lambda: GroupNorm(3, 6), (1, 6)),
    "group_norm.not_affine": case(lambda: GroupNorm(1, 4, affine=False, eps=0.1), (2, 4, 3)),
    "group_norm.empty": case(lambda: GroupNorm(2, 4), (0, 4, 3)),
    "instance_norm": case(lambda: InstanceNorm(3, eps=0.1), (2, 3, 4)),
    "instance_norm.affine": case(lambda: InstanceNorm(3, relu, affine=True), (2, 3, 2, 3)),
    "instance_norm.training": case(
        lambda: InstanceNorm(3, affine=True, track=True), (2, 3, 5), training=True
    ),
    "instance_norm.prediction": case(lambda: InstanceNorm(3, affine=True, track=True), (1, 3, 5)),
}
