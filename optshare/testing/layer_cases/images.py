"""Cases of layers over 1 to 3 axes of space: convolutions and pools."""

# Lambdas in a table are not annotated.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from optshare.layers import (
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    Chain,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    GlobalMaxPool,
    GlobalMeanPool,
    MaxPool,
    MeanPool,
    relu,
)
from optshare.testing.layer_cases.case import Case, case


def there_and_back() -> Chain:
    """A convolution and its transpose, of one weight."""
    conv = Conv((3, 3), 2, 3, stride=2, padding=1)
    return Chain(conv, ConvTranspose(tie=conv, stride=2, padding=1, output_padding=(0, 1)))


CONVOLUTIONS: dict[str, Case] = {
    "conv": case(lambda: Conv((3, 2), 2, 3, relu), (2, 2, 5, 4)),
    "conv.one_axis": case(lambda: Conv((3,), 2, 3), (2, 2, 7)),
    "conv.three_axes": case(lambda: Conv((2, 3, 2), 1, 2), (1, 1, 3, 4, 3)),
    "conv.stride": case(lambda: Conv((3, 3), 2, 3, stride=2), (2, 2, 7, 6)),
    "conv.strides": case(lambda: Conv((2, 3), 1, 2, stride=(3, 2)), (1, 1, 7, 5)),
    "conv.padding": case(lambda: Conv((3, 3), 2, 2, padding=(1, 2)), (2, 2, 4, 3)),
    "conv.uneven": case(lambda: Conv((3, 2), 1, 2, padding=((1, 0), (0, 2))), (2, 1, 3, 4)),
    "conv.same": case(lambda: Conv((3, 2), 1, 2, padding="same"), (2, 1, 5, 4)),
    "conv.dilation": case(lambda: Conv((3, 2), 1, 2, dilation=(1, 2)), (2, 1, 5, 5)),
    "conv.groups": case(lambda: Conv((2, 2), 4, 6, groups=2), (2, 4, 3, 4)),
    "conv.all": case(
        lambda: Conv((3, 2), 4, 2, stride=2, padding=1, dilation=2, groups=2), (2, 4, 7, 6)
    ),
    "conv.window": case(lambda: Conv((3, 4), 2, 3, bias=False), (2, 2, 3, 4)),
    "conv.one": case(lambda: Conv((1, 1), 2, 3), (1, 2, 1, 1)),
    "conv.empty": case(lambda: Conv((3, 2), 2, 3), (0, 2, 5, 4)),
    "depthwise": case(lambda: DepthwiseConv((3, 2), 3), (2, 3, 4, 4)),
    "depthwise.multiplier": case(
        lambda: DepthwiseConv((3, 3), 2, multiplier=2, stride=2, padding="valid"), (1, 2, 5, 7)
    ),
    "depthwise.empty": case(lambda: DepthwiseConv((3,), 2), (0, 2, 5)),
    "conv_transpose": case(lambda: ConvTranspose((3, 2), 2, 3, relu), (2, 2, 3, 4)),
    "conv_transpose.one_axis": case(lambda: ConvTranspose((3,), 2, 3, stride=2), (2, 2, 4)),
    "conv_transpose.three_axes": case(lambda: ConvTranspose((2, 1, 3), 2, 1), (1, 2, 2, 3, 2)),
    "conv_transpose.output_padding": case(
        lambda: ConvTranspose((3, 3), 2, 2, stride=(2, 3), output_padding=(1, 2)), (1, 2, 3, 2)
    ),
    "conv_transpose.padding": case(
        lambda: ConvTranspose((3, 4), 1, 2, padding=(1, 2)), (2, 1, 3, 4)
    ),
    "conv_transpose.all": case(
        lambda: ConvTranspose(
            (3, 2), 4, 2, stride=2, padding=1, output_padding=1, dilation=2, groups=2
        ),
        (2, 4, 3, 3),
    ),
    "conv_transpose.tied": case(there_and_back, (1, 2, 5, 4)),
    "conv_transpose.empty": case(lambda: ConvTranspose((3, 2), 2, 3, bias=False), (0, 2, 3, 4)),
}

POOLS: dict[str, Case] = {
    "max_pool": case(MaxPool, (2, 2, 5, 4)),
    "max_pool.one_axis": case(lambda: MaxPool(3), (1, 2, 10)),
    "max_pool.three_axes": case(lambda: MaxPool((2, 1, 2)), (1, 1, 4, 3, 5)),
    "max_pool.stride": case(lambda: MaxPool((3, 2), stride=(2, 1)), (2, 1, 7, 4)),
    "max_pool.padding": case(lambda: MaxPool(3, stride=2, padding=1), (2, 2, 6, 5)),
    "max_pool.empty": case(MaxPool, (0, 2, 5, 4)),
    "mean_pool": case(MeanPool, (2, 2, 5, 4)),
    "mean_pool.one_axis": case(lambda: MeanPool(3), (1, 2, 10)),
    "mean_pool.three_axes": case(lambda: MeanPool((2, 1, 2)), (1, 1, 4, 3, 5)),
    "mean_pool.stride": case(lambda: MeanPool((3, 2), stride=(2, 1)), (2, 1, 7, 4)),
    "mean_pool.padding": case(lambda: MeanPool(3, stride=2, padding=1), (2, 2, 6, 5)),
    "mean_pool.empty": case(MeanPool, (0, 2, 5, 4)),
    "global_max": case(GlobalMaxPool, (2, 3, 3, 5)),
    "global_max.one_axis": case(GlobalMaxPool, (1, 3, 7)),
    "global_mean": case(GlobalMeanPool, (2, 3, 3, 5)),
    "global_mean.three_axes": case(GlobalMeanPool, (1, 2, 2, 3, 3)),
    "adaptive_max": case(lambda: AdaptiveMaxPool((3, 2)), (2, 2, 7, 5)),
    "adaptive_max.even": case(lambda: AdaptiveMaxPool(2), (2, 1, 4, 6)),
    "adaptive_mean": case(lambda: AdaptiveMeanPool((3, 2)), (2, 2, 7, 5)),
    "adaptive_mean.even": case(lambda: AdaptiveMeanPool(2), (2, 1, 4, 6)),
    "adaptive_mean.one_axis": case(lambda: AdaptiveMeanPool(4), (1, 2, 6)),
}

CASES = {**CONVOLUTIONS, **POOLS}
