"""Layers over images together: whole models, the same on every engine."""

from functools import cache

import numpy as np
import pytest

import optshare
from optshare import registry
from optshare.layers import (
    Chain,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalMeanPool,
    MaxPool,
    Reshape,
    relu,
    tanh,
)
from tests.unit.layers.agreement import host


def classifier():
    """That of the thread: `Conv(5,5,1,20)`, `Pooling()`, ... on 28x28 digits; here smaller."""
    optshare.seed(0)
    return Chain(
        Reshape(1, 12, 12),
        Conv((5, 5), 1, 4, relu, dtype=np.float64),
        MaxPool(),
        DepthwiseConv((3, 3), multiplier=2, padding="same", dtype=np.float64),
        MaxPool((2, 2)),
        Conv((2, 2), 6, tanh, dtype=np.float64),
        GlobalMeanPool(),
        Flatten(),
        Dense(3, dtype=np.float64),
    )


def autoencoder():
    """An encoder whose weight the decoder uses too."""
    optshare.seed(0)
    conv = Conv((3, 3), 4, tanh, stride=2, padding=1, dtype=np.float64)
    back = ConvTranspose(tie=conv, stride=2, padding=1, output_padding=1)
    return Chain(Reshape(1, 12, 12), conv, back, Flatten())


@cache
def trained(make, engine):
    """The Parameters after three steps of a new model, and the last loss."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(4, 144)), rng.integers(0, 3, 4)
    y, loss = (labels, optshare.nll) if make is classifier else (x, optshare.mse)
    model = optshare.to(make(), engine)
    opt = optshare.SGD(model, lr=0.1, momentum=0.9)
    x, y = map(registry.load(engine).ops.asarray, (x, y))
    with optshare.use(engine):
        last = [opt.step(lambda x, y: loss(model(x), y), x, y) for _ in range(3)][-1]
    return [host(p.value) for p in optshare.params(model)], float(last)


@pytest.mark.parametrize("engine", ["functional", "torch", "autograd", "jax"])
@pytest.mark.parametrize("make", [classifier, autoencoder])
def test_a_model_without_channels_trains_the_same_on_every_engine(make, engine):
    expected, expected_loss = trained(make, "tape")
    found, loss = trained(make, engine)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for mine, theirs in zip(found, expected, strict=True):
        assert np.max(np.abs(mine - theirs)) <= 1e-12 * max(np.max(np.abs(theirs)), 0.1)


@pytest.mark.parametrize("make", [classifier, autoencoder])
def test_the_loss_falls(make):
    model = make()
    x, labels = np.random.default_rng(0).normal(size=(4, 144)), np.array([0, 1, 2, 0])
    y, loss = (labels, optshare.nll) if make is classifier else (x, optshare.mse)
    opt = optshare.Adam(model, lr=0.02)
    losses = [opt.step(lambda: loss(model(x), y)) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("make", [classifier, autoencoder])
def test_sizes_and_operations_are_known_without_numbers(make):
    model = make()
    before = [p.built for p in optshare.params(model)]
    shape = optshare.outputsize(model, (4, 144))
    said = str(optshare.summary(model, (4, 144)))
    assert [p.built for p in optshare.params(model)] == before
    assert not all(before)
    assert model(np.ones((4, 144))).shape == shape
    assert ("66,300 FLOPs" if make is classifier else "22,464 FLOPs") in said
