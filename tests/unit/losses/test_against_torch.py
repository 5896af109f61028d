"""Every loss and its gradient are those of the reference, on every engine."""

import numpy as np
import pytest
import torch

from optshare import losses
from tests.unit.closeness import assert_close
from tests.unit.losses.references import CASES, LABELS, NUMBERS, tensor

OPTIONS = [
    pytest.param(False, False, id="all"),
    pytest.param(True, False, id="weighted"),
    pytest.param(False, True, id="masked"),
    pytest.param(True, True, id="weighted and masked"),
]


def compare(on_engine, engine, case, weighted, masked, reduction):
    weight, mask = case.given(weighted, masked)
    x = torch.tensor(case.prediction, requires_grad=True)
    wanted = case.reference(x, weight, mask, reduction)
    seed = tensor(on_engine.seed(case.prediction)[: wanted.numel()]).reshape(wanted.shape)
    scalar = (wanted * seed).sum() if wanted.ndim else wanted
    scalar.backward()
    value, gradient, shape = on_engine(
        engine,
        lambda p: case.ours(p, weight=weight, mask=mask, reduction=reduction),
        case.prediction,
    )
    assert tuple(shape) == tuple(wanted.shape)
    assert_close(value, scalar.detach().numpy())
    assert_close(gradient, x.grad.numpy())


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("weighted", "masked"), OPTIONS)
@pytest.mark.parametrize("name", CASES)
def test_a_loss_and_its_gradient_are_the_references(
    name, weighted, masked, reduction, engine, on_engine
):
    compare(on_engine, engine, CASES[name], weighted, masked, reduction)


@pytest.mark.parametrize("name", CASES)
def test_a_loss_and_its_gradient_are_the_references_on_jax(name, on_engine):
    compare(on_engine, "jax", CASES[name], True, True, "mean")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_and_masked_crossentropy_is_torchs_with_ignore_index(smoothing):
    weight = np.array([0.5, 1.0, 2.0, 3.0])
    wanted = torch.nn.functional.cross_entropy(
        tensor(NUMBERS),
        torch.tensor([3, -100, 2]),
        weight=tensor(weight),
        label_smoothing=smoothing,
    )
    labels = np.where([True, False, True], LABELS, -100)
    found = losses.crossentropy(
        NUMBERS, labels, weight=weight, mask=labels != -100, label_smoothing=smoothing
    )
    assert_close(found, wanted.numpy())


def test_weighted_squared_and_absolute_errors_are_torchs():
    weight, zero = np.abs(NUMBERS), np.zeros_like(NUMBERS)
    for ours, theirs in (
        (losses.mse, torch.nn.functional.mse_loss),
        (losses.mae, torch.nn.functional.l1_loss),
    ):
        wanted = theirs(tensor(NUMBERS), tensor(zero), weight=tensor(weight))
        assert_close(ours(NUMBERS, zero, weight=weight), wanted.numpy())


def test_kldivergence_is_torchs_batchmean():
    target = CASES["kldivergence"].target
    wanted = torch.nn.functional.kl_div(
        tensor(NUMBERS).log_softmax(-1), tensor(target), reduction="batchmean"
    )
    assert_close(losses.kldivergence(NUMBERS, target), wanted.numpy())
