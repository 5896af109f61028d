"""What convolutions and pools are in PyTorch."""

import warnings
from functools import partial

from torch.nn import functional


def _by_axes(name, x):
    """The function for as many axes of space as an input has."""
    return getattr(functional, f"{name}{x.ndim - 2}d")


def conv(w, x, at="", **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
        return _by_axes("conv", x)(x, w[f"{at}weight"], w.get(f"{at}bias"), **options)


def transposed(w, x, **options):
    return _by_axes("conv_transpose", x)(x, w["weight"], w.get("bias"), **options)


def tied(w, x):
    there = conv(w, x, "layers.0.", stride=2, padding=1)
    weight, bias = w["layers.0.weight"], w["layers.1.bias"]
    return functional.conv_transpose2d(
        there, weight, bias, stride=2, padding=1, output_padding=(0, 1)
    )


def pool(name, *args, **options):
    return lambda w, x: _by_axes(name, x)(x, *args, **options)


EVERYTHING = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}

COUNTERPARTS = {
    "conv": lambda w, x: conv(w, x).relu(),
    "conv.one_axis": conv,
    "conv.three_axes": conv,
    "conv.stride": partial(conv, stride=2),
    "conv.strides": partial(conv, stride=(3, 2)),
    "conv.padding": partial(conv, padding=(1, 2)),
    "conv.uneven": lambda w, x: conv(w, functional.pad(x, (0, 2, 1, 0))),
    "conv.same": partial(conv, padding="same"),
    "conv.dilation": partial(conv, dilation=(1, 2)),
    "conv.groups": partial(conv, groups=2),
    "conv.all": partial(conv, **EVERYTHING),
    "conv.window": conv,
    "conv.one": conv,
    "conv.empty": conv,
    "depthwise": partial(conv, groups=3),
    "depthwise.multiplier": partial(conv, groups=2, stride=2),
    "depthwise.empty": partial(conv, groups=2),
    "conv_transpose": lambda w, x: transposed(w, x).relu(),
    "conv_transpose.one_axis": partial(transposed, stride=2),
    "conv_transpose.three_axes": transposed,
    "conv_transpose.output_padding": partial(transposed, stride=(2, 3), output_padding=(1, 2)),
    "conv_transpose.padding": partial(transposed, padding=(1, 2)),
    "conv_transpose.all": partial(transposed, output_padding=1, **EVERYTHING),
    "conv_transpose.tied": tied,
    "conv_transpose.empty": transposed,
    "max_pool": pool("max_pool", 2),
    "max_pool.one_axis": pool("max_pool", 3),
    "max_pool.three_axes": pool("max_pool", (2, 1, 2)),
    "max_pool.stride": pool("max_pool", (3, 2), stride=(2, 1)),
    "max_pool.padding": pool("max_pool", 3, stride=2, padding=1),
    "max_pool.empty": pool("max_pool", 2),
    "mean_pool": pool("avg_pool", 2),
    "mean_pool.one_axis": pool("avg_pool", 3),
    "mean_pool.three_axes": pool("avg_pool", (2, 1, 2)),
    "mean_pool.stride": pool("avg_pool", (3, 2), stride=(2, 1)),
    "mean_pool.padding": pool("avg_pool", 3, stride=2, padding=1),
    "mean_pool.empty": pool("avg_pool", 2),
    "global_max": pool("adaptive_max_pool", 1),
    "global_max.one_axis": pool("adaptive_max_pool", 1),
    "global_mean": pool("adaptive_avg_pool", 1),
    "global_mean.three_axes": pool("adaptive_avg_pool", 1),
    "adaptive_max": pool("adaptive_max_pool", (3, 2)),
    "adaptive_max.even": pool("adaptive_max_pool", 2),
    "adaptive_mean": pool("adaptive_avg_pool", (3, 2)),
    "adaptive_mean.even": pool("adaptive_avg_pool", 2),
    "adaptive_mean.one_axis": pool("adaptive_avg_pool", 4),
}
