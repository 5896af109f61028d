"""Training with schedules ends where PyTorch's ends, and goes on where it was saved."""

import copy
import pickle

import numpy as np
import pytest
import torch

import optshare
from optshare import Parameter
from optshare.schedules import Cosine, OneCycle, Sequence, StepDecay, Triangular, WarmUp

X = np.random.default_rng(0).standard_normal((8, 3))
Y = np.random.default_rng(1).standard_normal((8, 1))
START = np.array([[0.5], [-1.0], [2.0]])


def trained(rule, steps=30):
    w = Parameter(START.copy())
    opt = optshare.Optimizer([w], rule)
    for _ in range(steps):
        opt.update([gradient(w.value)])
    return w.value


def gradient(w):
    return 2 * X.T @ (X @ w - Y)


def torchs(make, schedule, steps=30):
    w = torch.tensor(START.copy(), requires_grad=True)
    opt = make([w])
    scheduler = schedule(opt)
    for _ in range(steps):
        w.grad = torch.tensor(gradient(w.detach().numpy()))
        opt.step()
        scheduler.step()
    return w.detach().numpy()


def halving(step):
    return 0.02 * 0.5 ** (step // 7)


def weak(step):
    return 0.1 / (1 + step)


SGD, Adam = torch.optim.SGD, torch.optim.Adam
LAMBDA = torch.optim.lr_scheduler.LambdaLR
COSINE = torch.optim.lr_scheduler.CosineAnnealingLR
ONE_CYCLE = torch.optim.lr_scheduler.OneCycleLR

PAIRS = {
    "sgd, any function": (
        optshare.SGD(lr=halving),
        lambda w: SGD(w, lr=1.0),
        lambda opt: LAMBDA(opt, halving),
    ),
    "sgd, cosine": (
        optshare.SGD(lr=Cosine(0.01, 30, 1e-3), momentum=0.9, weight_decay=0.1, nesterov=True),
        lambda w: SGD(w, lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True),
        lambda opt: COSINE(opt, 30, 1e-3),
    ),
    "adam, cosine": (
        optshare.Adam(lr=Cosine(0.1, 30)),
        lambda w: Adam(w, lr=0.1),
        lambda opt: COSINE(opt, 30),
    ),
    "adam, one cycle of lr and beta1": (
        optshare.Adam(
            lr=OneCycle(0.1, 31), betas=(OneCycle(0.85, 31, start=0.95, end=0.95), 0.999)
        ),
        lambda w: Adam(w, lr=0.1, betas=(0.95, 0.999)),
        lambda opt: ONE_CYCLE(opt, 0.1, 31),
    ),
    "sgd, one cycle of lr and momentum": (
        optshare.SGD(lr=OneCycle(0.02, 31), momentum=OneCycle(0.85, 31, start=0.95, end=0.95)),
        lambda w: SGD(w, lr=0.1, momentum=0.95),
        lambda opt: ONE_CYCLE(opt, 0.02, 31),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_training_with_a_schedule_is_pytorchs(name):
    rule, make, schedule = PAIRS[name]
    found, wanted = trained(rule), torchs(make, schedule)
    assert not np.allclose(found, START)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["weight_decay", "eps"])
def test_any_hyperparameter_takes_a_schedule(kind):
    w = torch.tensor(START.copy(), requires_grad=True)
    theirs = torch.optim.AdamW([w], lr=0.1)
    for step in range(30):
        theirs.param_groups[0][kind] = weak(step)
        w.grad = torch.tensor(gradient(w.detach().numpy()))
        theirs.step()
    ours = trained(optshare.AdamW(lr=0.1, **{kind: weak}))
    np.testing.assert_allclose(ours, w.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_a_momentum_that_is_zero_at_a_step_keeps_its_buffer():
    momenta = [0.9, 0.0, 0.9, 0.0, 0.5]
    w, by_hand, b = Parameter(START.copy()), START.copy(), 0.0
    opt = optshare.SGD([w], lr=0.01, momentum=lambda step: momenta[step])
    for momentum in momenta:
        b = momentum * b + gradient(by_hand)
        by_hand = by_hand - 0.01 * b
        opt.update([gradient(w.value)])
    np.testing.assert_allclose(w.value, by_hand, rtol=1e-13)


def test_nesterovs_momentum_may_be_zero_at_a_step():
    rule = optshare.SGD(lr=0.01, momentum=lambda step: 0.9 * (step % 2), nesterov=True)
    assert np.isfinite(trained(rule, 4)).all()


def test_a_learning_rate_that_is_zero_at_a_step_leaves_the_value_and_moves_the_moments():
    w = Parameter(START.copy())
    opt = optshare.Adam([w], lr=WarmUp(5, 0.1))
    opt.update([np.ones((3, 1))])
    assert (w.value == START).all()
    np.testing.assert_allclose(opt.state_for(w).exp_avg, 0.1)


EVERYTHING = optshare.AdamW(
    lr=WarmUp(5, Cosine(0.1, 40)),
    betas=(Triangular(0.8, 0.95, 4), 0.99),
    weight_decay=Sequence((StepDecay(0.1, 3), 0.0), (8,)),
)


@pytest.mark.parametrize("saved_after", [0, 1, 7, 8, 29])
def test_a_run_that_is_saved_goes_on_bit_by_bit(saved_after):
    wanted = trained(EVERYTHING)
    w = Parameter(trained(EVERYTHING, saved_after))
    opt = optshare.Optimizer([w], EVERYTHING)
    before = optshare.Optimizer([other := Parameter(START.copy())], EVERYTHING)
    for _ in range(saved_after):
        before.update([gradient(other.value)])
    opt.load_state_dict(before.state_dict())
    assert opt.steps == saved_after
    for _ in range(30 - saved_after):
        opt.update([gradient(w.value)])
    assert (w.value == wanted).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_a_copied_run_goes_on_bit_by_bit(copied):
    w = Parameter(START.copy())
    opt = optshare.Optimizer([w], EVERYTHING)
    for _ in range(10):
        opt.update([gradient(w.value)])
    [again], other = copied(([w], opt))
    for _ in range(20):
        other.update([gradient(again.value)])
    assert (again.value == trained(EVERYTHING)).all()
