"""Each schedule beside PyTorch's scheduler of the same name, over 200 steps."""

import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as theirs

from optshare.schedules import (
    Constant,
    Cosine,
    Exponential,
    Loop,
    MultiStep,
    OneCycle,
    Polynomial,
    Sequence,
    StepDecay,
    Triangular,
    Triangular2,
    TriangularExp,
    WarmUp,
)

STEPS = 200


def rates(scheduler, lr=1.0):
    """The learning rates of PyTorch's scheduler at each step."""
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule, found = scheduler(opt), []
    with warnings.catch_warnings():  # SequentialLR calls its own deprecated form
        warnings.simplefilter("ignore")
        for _ in range(STEPS):
            found.append(opt.param_groups[0]["lr"])
            opt.step()
            schedule.step()
    return found


def cycle(mode="triangular", gamma=1.0):
    return lambda opt: theirs.CyclicLR(
        opt, 0.1, 0.9, step_size_up=17, mode=mode, gamma=gamma, cycle_momentum=False
    )


def warm_up(opt):
    return theirs.SequentialLR(
        opt,
        [theirs.LinearLR(opt, 0.1, 1.0, 20), theirs.CosineAnnealingLR(opt, 180, 0.1)],
        milestones=[20],
    )


PAIRS = {
    "constant": (Constant(1.0), lambda opt: theirs.ConstantLR(opt, 1.0, 10)),
    "step": (StepDecay(1.0, 30, 0.5), lambda opt: theirs.StepLR(opt, 30, 0.5)),
    "multi-step": (
        MultiStep(1.0, (20, 21, 90), 0.3),
        lambda opt: theirs.MultiStepLR(opt, [20, 21, 90], 0.3),
    ),
    "exponential": (Exponential(1.0, 0.97), lambda opt: theirs.ExponentialLR(opt, 0.97)),
    "polynomial": (Polynomial(1.0, 150, 2.5), lambda opt: theirs.PolynomialLR(opt, 150, 2.5)),
    "line": (Polynomial(0.25, 50, end=1.0), lambda opt: theirs.LinearLR(opt, 0.25, 1.0, 50)),
    "cosine": (Cosine(1.0, 200, 0.05), lambda opt: theirs.CosineAnnealingLR(opt, 200, 0.05)),
    "restarts": (
        Loop(Cosine(1.0, 30, 0.05), 30),
        lambda opt: theirs.CosineAnnealingWarmRestarts(opt, 30, eta_min=0.05),
    ),
    "one cycle": (OneCycle(1.0, 200), lambda opt: theirs.OneCycleLR(opt, 1.0, 201)),
    "triangular": (Triangular(0.1, 0.9, 17), cycle()),
    "triangular2": (Triangular2(0.1, 0.9, 17), cycle("triangular2")),
    "triangular exp": (TriangularExp(0.1, 0.9, 17, 0.98), cycle("exp_range", 0.98)),
    "warm-up": (WarmUp(20, Cosine(1.0, 180, 0.1), start=0.1), warm_up),
    "sequence": (
        Sequence((0.5, Exponential(1.0, 0.9), 0.25), (10, 90)),
        lambda opt: theirs.SequentialLR(
            opt,
            [
                theirs.ConstantLR(opt, 0.5, 300),
                theirs.ExponentialLR(opt, 0.9),
                theirs.ConstantLR(opt, 0.25, 300),
            ],
            milestones=[10, 90],
        ),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_schedule_has_the_values_of_pytorchs(name):
    schedule, scheduler = PAIRS[name]
    if name == "one cycle":  # theirs refuses a step after the last one
        schedule = OneCycle(1.0, 201)
    ours = [schedule(step) for step in range(STEPS)]
    np.testing.assert_allclose(ours, rates(scheduler), rtol=1e-12, atol=1e-13)


def test_the_momentum_of_one_cycle_is_one_cycle_upside_down():
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = theirs.OneCycleLR(opt, 1.0, 60)
    schedule = OneCycle(0.85, 60, start=0.95, end=0.95)
    for step in range(59):
        assert schedule(step) == pytest.approx(opt.param_groups[0]["momentum"], rel=1e-12)
        opt.step()
        scheduler.step()
