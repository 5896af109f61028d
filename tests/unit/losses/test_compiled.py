"""In a compiled function, whose numbers are not known while it is traced."""

import jax
import numpy as np
import pytest

import optshare
from optshare import losses
from tests.unit.closeness import assert_close
from tests.unit.losses.references import CASES
from tests.unit.losses.test_ctc import COUNTS, LABELS, SCORES, STEPS

SOME = ["huber", "binary_focal", "hinge", "crossentropy smoothed", "focal", "kldivergence", "dice"]


@pytest.mark.parametrize("name", SOME)
def test_a_loss_compiles_with_all_its_arguments_unknown(name):
    case = CASES[name]
    weight, mask = case.given(True, True)

    def loss(p, t, w, m):
        return case.loss(p, t, weight=w, mask=m, **case.options)

    arguments = case.prediction, case.target, weight, mask
    value, gradient = jax.jit(jax.value_and_grad(loss))(*arguments)
    assert_close(value, loss(*arguments))
    assert_close(gradient, jax.grad(loss)(*arguments))


@pytest.mark.parametrize("loss", [losses.crossentropy, losses.focal])
def test_a_wrong_label_that_counts_gives_nan_and_a_masked_one_does_not(loss):
    compiled = jax.jit(lambda s, t, m: loss(s, t, mask=m))
    scores, labels = np.zeros((2, 4)), np.array([1, -100])
    assert np.isnan(compiled(scores, labels, np.array([True, True])))
    assert_close(compiled(scores, labels, np.array([True, False])), loss(scores[:1], labels[:1]))


def test_ctc_compiles_to_a_loop():
    def loss(scores, labels, steps, counts):
        return losses.ctc(scores, labels, input_lengths=steps, target_lengths=counts)

    arguments = SCORES, LABELS, STEPS, COUNTS
    value, gradient = jax.jit(jax.value_and_grad(loss))(*arguments)
    assert_close(value, loss(*arguments))
    assert np.isfinite(gradient).all()
    assert "scan[" in str(jax.make_jaxpr(loss)(*arguments))


def test_a_target_of_numpys_double_precision_is_taken_where_jax_has_only_single():
    with jax.enable_x64(False):
        found = losses.mse(jax.numpy.zeros(2), np.ones(2))
        assert found.dtype == np.float32
        assert found == 1.0


@pytest.mark.parametrize(
    "loss",
    [
        lambda s, y: losses.crossentropy(s[:, 0], y, label_smoothing=0.1),
        lambda s, y: losses.focal(s[:, 0], y),
        lambda s, y: losses.ctc(s, y[:, None]),
    ],
    ids=["smoothing", "focal", "ctc"],
)
def test_what_a_loss_computes_from_shapes_is_traced_once(loss):
    traced = []

    def step(s, y):
        traced.append(None)
        return loss(s * weight, y)

    with jax.enable_x64(True):
        weight = optshare.to(optshare.Parameter(np.ones(5)), "jax")
        opt = optshare.SGD([weight], lr=0.1)
        for _ in range(4):
            opt.step(step, jax.numpy.ones((2, 3, 5)), jax.numpy.array([1, 3]))
    assert len(traced) == 1
