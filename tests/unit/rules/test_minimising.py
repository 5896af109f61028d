"""Every rule finds the minima of a parabola and of Rosenbrock's function."""

from contextlib import nullcontext

import numpy as np
import pytest

import optshare
from optshare import Parameter


def parabola(w):
    x, y = w
    return 0.5 * (x * x + 10 * y * y), np.array([x, 10 * y])


def rosenbrock(w):
    x, y = w
    bend = y - x * x
    slope = np.array([-2 * (1 - x) - 400 * x * bend, 200 * bend])
    return (1 - x) ** 2 + 100 * bend**2, slope


# The learning rate, and the loss that every start comes below: of those that were tried, the best
# rate; of what was measured there, at most some ten times as much.
OF_PARABOLA = {
    "SGD": (0.1, 1e-25),
    "Adam": (0.1, 1e-11),
    "AdamW": (0.5, 1e-12),
    "NAdam": (0.1, 1e-25),
    "RAdam": (0.1, 1e-10),
    "AdaMax": (0.1, 1e-13),
    "AdaBelief": (0.1, 1e-11),
    "OAdam": (0.01, 3e-3),
    "Yogi": (0.05, 1e-11),
    "RMSProp": (0.05, 1e-100),
    "Adagrad": (1.0, 1e-100),
    "Adadelta": (1.0, 4.0),
    "Rprop": (0.1, 1e-10),
    "Lion": (0.1, 1e-28),
    "LARS": (3.0, 1e-10),
    "LAMB": (0.3, 1e-13),
    "Adafactor": (1.0, 5e-6),
    "Muon": (0.03, 0.03),
    "ScheduleFreeSGD": (1.0, 1e-62),
    "ScheduleFreeAdamW": (1.0, 1e-26),
}
OF_ROSENBROCK = {
    "SGD": (0.001, 0.2),
    "Adam": (0.1, 0.01),
    "AdamW": (0.03, 0.01),
    "NAdam": (0.1, 0.3),
    "RAdam": (0.0005, 5.0),
    "AdaMax": (1.0, 1e-3),
    "AdaBelief": (0.1, 0.01),
    "OAdam": (0.003, 0.2),
    "Yogi": (0.3, 0.01),
    "RMSProp": (0.01, 0.2),
    "Adagrad": (1.0, 0.2),
    "Adadelta": (0.3, 0.3),
    "Rprop": (0.1, 0.01),
    "Lion": (0.003, 0.03),
    "LARS": (1.0, 0.03),
    "LAMB": (0.1, 5.0),
    "Adafactor": (1.0, 0.5),
    "Muon": (0.003, 0.01),
    "ScheduleFreeSGD": (0.001, 1.0),
    "ScheduleFreeAdamW": (0.3, 0.1),
}
STARTS = [(-1.2, 1.0), (0.0, 0.0), (2.0, 2.0)]
every_start = pytest.mark.parametrize("start", STARTS, ids=str)


def loss_after(steps, rule, lr, function, start):
    p = Parameter(np.array(start)[None] if rule == "Muon" else np.array(start))
    opt = getattr(optshare, rule)([p], lr=lr)
    for _ in range(steps):
        opt.update([function(p.value.ravel())[1].reshape(p.shape)])
    with opt.averaged() if rule.startswith("ScheduleFree") else nullcontext():
        return function(p.value.ravel())[0]


@every_start
@pytest.mark.parametrize("rule", OF_PARABOLA)
def test_the_minimum_of_a_parabola_is_found(rule, start):
    lr, wanted = OF_PARABOLA[rule]
    assert loss_after(300, rule, lr, parabola, start) <= wanted


@every_start
@pytest.mark.parametrize("rule", OF_ROSENBROCK)
def test_the_valley_of_rosenbrock_is_followed(rule, start):
    lr, wanted = OF_ROSENBROCK[rule]
    assert loss_after(2000, rule, lr, rosenbrock, start) <= wanted


def test_oadam_finds_the_saddle_of_a_game_that_adam_circles():
    def distance(rule):
        x, y = Parameter([1.0]), Parameter([1.0])
        opt = getattr(optshare, rule)([x, y], lr=0.1, betas=(0.0, 0.999))
        for _ in range(2000):
            opt.update([y.value.copy(), -x.value.copy()])  # x minimises x * y, y maximises it
        return float(np.hypot(x.value[0], y.value[0]))

    assert distance("OAdam") < 1e-6
    assert distance("Adam") > 5.0
