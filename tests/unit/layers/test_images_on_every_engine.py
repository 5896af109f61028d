"""Each layer over images, once on each engine that is not over NumPy's arrays alone."""

import numpy as np
import pytest
import torch

import optshare
from optshare import registry
from optshare.layers import (
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    Conv,
    ConvTranspose,
    DepthwiseConv,
    GlobalMaxPool,
    GlobalMeanPool,
    MaxPool,
    MeanPool,
)
from tests.unit.layers.agreement import assert_agrees, drawn, host

ENGINES = ["torch", "autograd", "jax"]
EVERYTHING = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
DOUBLE = {"dtype": torch.float64}
CASES = {  # a layer, and PyTorch's
    "conv": lambda: (
        Conv((3, 2), 4, 6, dtype=np.float64, **EVERYTHING),
        torch.nn.Conv2d(4, 6, (3, 2), **EVERYTHING, **DOUBLE),
    ),
    "same": lambda: (
        Conv((3, 2), 4, 2, padding="same", dtype=np.float64),
        torch.nn.Conv2d(4, 2, (3, 2), padding="same", **DOUBLE),
    ),
    "depthwise": lambda: (
        DepthwiseConv((3, 2), 4, multiplier=2, dtype=np.float64),
        torch.nn.Conv2d(4, 8, (3, 2), groups=4, **DOUBLE),
    ),
    "conv_transpose": lambda: (
        ConvTranspose((3, 2), 4, 6, output_padding=1, dtype=np.float64, **EVERYTHING),
        torch.nn.ConvTranspose2d(4, 6, (3, 2), output_padding=1, **EVERYTHING, **DOUBLE),
    ),
    "max_pool": lambda: (MaxPool(3, stride=2, padding=1), torch.nn.MaxPool2d(3, 2, 1)),
    "mean_pool": lambda: (MeanPool(3, stride=2, padding=1), torch.nn.AvgPool2d(3, 2, 1)),
    "global_max": lambda: (GlobalMaxPool(), torch.nn.AdaptiveMaxPool2d(1)),
    "global_mean": lambda: (GlobalMeanPool(), torch.nn.AdaptiveAvgPool2d(1)),
    "adaptive_max": lambda: (AdaptiveMaxPool((3, 2)), torch.nn.AdaptiveMaxPool2d((3, 2))),
    "adaptive_mean": lambda: (AdaptiveMeanPool((3, 2)), torch.nn.AdaptiveAvgPool2d((3, 2))),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_torchs(case, engine):
    layer, module = CASES[case]()
    assert_agrees(layer, module, drawn(2, 4, 7, 8), engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layer", [MaxPool(), AdaptiveMaxPool((1, 2)), GlobalMaxPool()], ids=repr)
def test_elements_that_tie_for_a_maximum_share_its_gradient(layer, engine):
    asarray = registry.load(engine).ops.asarray
    x = asarray(np.array([[[[2.0, 2.0, 2.0], [2.0, 0.0, 0.0]]]]))
    with optshare.use(engine):
        (g,) = optshare.gradient(lambda x: layer(x)[..., :1].sum(), x)
    shared = 1 / 4 if layer == GlobalMaxPool() else 1 / 3
    last = shared if layer == GlobalMaxPool() else 0.0
    np.testing.assert_allclose(
        host(g), [[[[shared, shared, last], [shared, 0.0, 0.0]]]], rtol=1e-15
    )
