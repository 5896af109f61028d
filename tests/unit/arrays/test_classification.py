"""The fused softmax cross-entropy: torch's numbers, to second order, whatever the layout."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import optshare_functional
import optshare_tape
from optshare.namespace import fallbacks
from optshare_arrays import ops

SHAPES = [(4, 3), (1, 5), (2, 3, 4), (0, 3), (3, 1)]


def problem(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * 3, rng.integers(0, shape[-1], shape[:-1])


def theirs(scores, labels):
    rows, wanted = scores.reshape(-1, scores.shape[-1]), torch.tensor(labels).reshape(-1)
    found = torch.nn.functional.cross_entropy(rows, wanted, reduction="none")
    return found.reshape(labels.shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_losses_and_gradients_are_torchs(engine, shape):
    scores, labels = problem(shape)
    seed = np.random.default_rng(1).normal(size=labels.shape)
    x = torch.tensor(scores, requires_grad=True)
    wanted = theirs(x, labels)
    (slope,) = torch.autograd.grad((wanted * torch.tensor(seed)).sum(), x)
    assert_allclose(ops.nn.cross_entropy(scores, labels), wanted.detach(), rtol=0, atol=1e-13)
    found = engine.grad(lambda s: ops.sum(ops.nn.cross_entropy(s, labels) * seed))(scores)
    assert_allclose(found, slope, rtol=0, atol=1e-13)


def test_second_derivatives_are_torchs(engine):
    scores, labels = problem((4, 3))
    along = np.random.default_rng(2).normal(size=scores.shape)

    def slope(s):
        return ops.sum(
            engine.grad(lambda t: ops.sum(ops.nn.cross_entropy(t, labels) ** 2))(s) * along
        )

    x = torch.tensor(scores, requires_grad=True)
    (first,) = torch.autograd.grad((theirs(x, labels) ** 2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((first * torch.tensor(along)).sum(), x)
    assert_allclose(engine.grad(slope)(scores), second, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_neither_layout_nor_dtype_changes_anything_else(engine, order, dtype):
    scores, labels = problem((5, 4))
    scores = np.asarray(scores, dtype, order=order)
    seed = np.asarray(np.arange(5), dtype)

    def loss(function):
        return engine.grad(lambda s: ops.sum(function(s) * seed))(scores)

    fused = loss(lambda s: ops.nn.cross_entropy(s, labels))
    composed = loss(lambda s: fallbacks.cross_entropy(ops, s, labels))
    assert fused.dtype == dtype
    assert_allclose(fused, composed, rtol=0, atol=16 * float(np.finfo(dtype).eps))


def test_a_score_of_minus_infinity_is_a_class_that_cannot_be(engine):
    scores = np.array([[0.0, -np.inf, 0.0]])
    losses = ops.nn.cross_entropy(scores, np.array([0]))
    assert_allclose(losses, [np.log(2)], rtol=1e-15)
    gradient = engine.grad(lambda s: ops.sum(ops.nn.cross_entropy(s, np.array([0]))))(scores)
    assert_array_equal(gradient, [[-0.5, 0.0, 0.5]])


def test_large_scores_do_not_overflow(engine):
    scores = np.array([[1000.0, 0.0]])
    assert_array_equal(ops.nn.cross_entropy(scores, np.array([1])), [1000.0])
    gradient = engine.grad(lambda s: ops.sum(ops.nn.cross_entropy(s, np.array([1]))))(scores)
    assert_array_equal(gradient, [[1.0, -1.0]])


def test_the_scores_are_not_written(engine):
    scores, labels = problem((4, 3))
    before = scores.copy()
    engine.grad(lambda s: ops.sum(ops.nn.cross_entropy(s, labels)))(scores)
    assert_array_equal(scores, before)


def test_a_pullback_of_it_can_be_called_again():
    scores, labels = problem((4, 3))
    with optshare_tape.record():
        found = ops.nn.cross_entropy(optshare_tape.Variable(scores).value, labels)
    assert_array_equal(optshare_tape.value(found), ops.nn.cross_entropy(scores, labels))
    value, pullback = optshare_functional.vjp(lambda s: ops.nn.cross_entropy(s, labels), scores)
    assert_array_equal(pullback(np.ones(4)), pullback(np.ones(4)))
    assert value.shape == (4,)
