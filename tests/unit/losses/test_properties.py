"""What holds for any shapes and numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from optshare import losses
from tests.unit.closeness import assert_close

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = array_shapes(min_dims=1, max_dims=4, max_side=4)


def drawn(shape, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.01, 0.99, shape), rng.integers(0, 2, shape), rng


ELEMENTS = {
    "mse": lambda p, t: (p - t) ** 2,
    "mae": lambda p, t: np.abs(p - t),
    "msle": lambda p, t: np.log((1 + p) / (1 + t)) ** 2,
    "huber": lambda p, t: (p - t) ** 2 / 2,
    "poisson": lambda p, t: p - t * np.log(p),
    "contrastive": lambda p, t: np.where(t == 1, (1 - p) ** 2, p**2),
    "binarycrossentropy": lambda p, t: np.log1p(np.exp(-(2 * t - 1) * p)),
}


@pytest.mark.parametrize("name", ELEMENTS)
@settings(deadline=None, max_examples=25)
@given(shape=SHAPES, seed=SEEDS)
def test_a_mean_is_the_weighted_average_of_what_counts(name, shape, seed):
    p, t, rng = drawn(shape, seed)
    weight, mask = rng.uniform(0.1, 2, shape), rng.integers(0, 2, shape)
    mask.flat[0] = 1
    loss, each = getattr(losses, name), ELEMENTS[name](p, t)
    assert_close(loss(p, t, reduction="none"), each)
    assert_close(loss(p, t), each.mean())
    assert_close(loss(p, t, reduction="sum", mask=mask), each[mask == 1].sum())
    found = loss(p, t, weight=weight, mask=mask)
    assert_close(found, np.average(each, weights=weight * mask))


@pytest.mark.parametrize("loss", [losses.crossentropy, losses.focal])
@settings(deadline=None, max_examples=25)
@given(shape=SHAPES, seed=SEEDS)
def test_labels_are_what_they_are_one_hot(loss, shape, seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])
    weight, mask = rng.uniform(0.1, 2, shape[-1]), rng.integers(0, 2, shape[:-1])
    mask = np.maximum(mask, mask.sum() == 0)
    for options in ({}, {"weight": weight}, {"mask": mask}, {"weight": weight, "mask": mask}):
        found = loss(scores, np.eye(shape[-1])[labels], **options)
        assert_close(found, loss(scores, labels, **options))


@settings(deadline=None, max_examples=25)
@given(shape=SHAPES, seed=SEEDS)
def test_probabilities_cost_what_their_scores_do(shape, seed):
    rng = np.random.default_rng(seed)
    scores, t = rng.normal(size=shape), rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    for loss in (losses.crossentropy, losses.kldivergence, losses.focal):
        assert_close(loss(p, t, logits=False), loss(scores, t))
    sure = 1 / (1 + np.exp(-scores))
    for loss in (losses.binarycrossentropy, losses.binary_focal):
        assert_close(loss(sure, t, logits=False), loss(scores, t))


@settings(deadline=None, max_examples=25)
@given(shape=array_shapes(min_dims=2, max_dims=4, max_side=4), seed=SEEDS)
def test_overlap_is_counted_for_each_sample(shape, seed):
    p, t, _ = drawn(shape, seed)
    for loss in (losses.dice, losses.tversky):
        found = loss(p, t, reduction="none")
        assert found.shape == shape[:1]
        assert_close(found, [loss(a[None], b[None]) for a, b in zip(p, t, strict=True)])
        assert_close(loss(t.astype(float), t), 0.0)
        assert ((found > 0) & (found < 1)).all()


@settings(deadline=None, max_examples=25)
@given(shape=SHAPES, seed=SEEDS)
def test_tversky_of_one_half_each_is_kerass_dice(shape, seed):
    """keras.losses.Dice: 1 - (2 sum(p t) + e) / (sum(p) + sum(t) + e)."""
    p, t, _ = drawn(shape, seed)
    wanted = 1 - (2 * (p * t).sum() + 2) / (p.sum() + t.sum() + 2)
    assert_close(losses.tversky(p[None], t[None], alpha=0.5, beta=0.5), wanted)
