"""The evaluation values of the schedule-free rules, and optax's account of them."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optshare
from optshare import Optimizer, Parameter
from optshare.errors import HyperparameterError
from tests.unit.rules.cases import CASES, made
from tests.unit.rules.schedule_free_package import ScheduleFree

STEPS = 25
RULES = {
    "ScheduleFreeSGD": optax.contrib.schedule_free_sgd,
    "ScheduleFreeAdamW": optax.contrib.schedule_free_adamw,
}


def gradient(at, shape):
    return np.random.default_rng(at).normal(size=shape)


def averaged(opt, p):
    with opt.averaged():
        return np.array(p.value)


@pytest.mark.parametrize("case", [each for each in CASES if each.startswith("schedule-free")])
@pytest.mark.parametrize("shape", [(), (0,), (5, 7)], ids=str)
def test_evaluation_values_are_the_authors(case, shape, deviation):
    start, lr = gradient(100, shape), 0.1
    p = Parameter(start)
    opt = Optimizer([p], made(case, lr=lr))
    name, options = CASES[case]
    theirs = ScheduleFree(name, start, lr, options)
    for at in range(STEPS):
        if at == 10:
            lr = 0.02
            opt.adjust(lr=lr)
        opt.update([gradient(at, shape)])
        theirs.update(gradient(at, shape), lr)
        assert deviation(theirs.evaluated, averaged(opt, p), lr) <= 1e-12, at


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("power", [2.0, 1.0])
def test_values_are_optaxs(rule, power, deviation):
    """At a constant lr; its warm-up begins at lr 0."""
    start = gradient(100, (5, 7))
    p = Parameter(start)
    options = {"weight_decay": 0.1, "weight_lr_power": power}
    opt = Optimizer([p], getattr(optshare, rule)(lr=0.1, **options))
    transform, theirs = RULES[rule](0.1, **options), jnp.asarray(start)
    state = transform.init(theirs)
    for at in range(STEPS):
        opt.update([gradient(at, (5, 7))])
        updates, state = transform.update(jnp.asarray(gradient(at, (5, 7))), state, theirs)
        theirs = optax.apply_updates(theirs, updates)
        assert deviation(np.asarray(theirs), p.value, 0.1) <= 1e-12, at
    evaluated = optax.contrib.schedule_free_eval_params(state, theirs)
    assert deviation(np.asarray(evaluated), averaged(opt, p), 0.1) <= 1e-12


def test_the_average_of_plain_descent_is_the_mean_of_its_iterates(deviation):
    p, z, seen = Parameter(np.ones(3)), np.ones(3), []
    opt = Optimizer([p], optshare.ScheduleFreeSGD(lr=0.1))
    for at in range(7):
        z = z - 0.1 * gradient(at, 3)
        seen.append(z)
        opt.update([gradient(at, 3)])
    assert deviation(np.mean(seen, 0), averaged(opt, p)) <= 1e-12


@pytest.mark.parametrize(
    ("rule", "options"),
    [("ScheduleFreeSGD", {"momentum": 0.0}), ("ScheduleFreeAdamW", {"betas": (0.0, 0.9)})],
)
def test_without_interpolation_there_would_be_no_average(rule, options):
    with pytest.raises(HyperparameterError, match=rf"{rule}: .* must be above 0, not 0.0"):
        getattr(optshare, rule)(**options)


def test_a_learning_rate_of_zero_in_the_first_steps_changes_nothing():
    p = Parameter(np.ones(3))
    opt = Optimizer([p], optshare.ScheduleFreeSGD(lr=lambda step: 0.1 * (step > 1)))
    for at in range(2):
        opt.update([gradient(at, 3)])
        np.testing.assert_array_equal(p.value, np.ones(3))
    opt.update([gradient(2, 3)])
    assert not np.array_equal(p.value, np.ones(3))
