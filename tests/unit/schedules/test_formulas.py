"""Schedules beside optax's, and where nobody has one beside the formula."""

import math

import jax
import numpy as np
import optax
import pytest

from optshare.schedules import (
    Cosine,
    Exponential,
    Interpolate,
    Inverse,
    MultiStep,
    Polynomial,
    Sequence,
    Sine,
    Sine2,
    SineExp,
    StepDecay,
    Stretched,
    WarmUp,
)

STEPS = range(200)

PAIRS = {
    "step": (StepDecay(1.0, 30, 0.5), optax.exponential_decay(1.0, 30, 0.5, staircase=True)),
    "multi-step": (
        MultiStep(1.0, (20, 90), 0.3),
        optax.piecewise_constant_schedule(1.0, {20: 0.3, 90: 0.3}),
    ),
    "exponential": (Exponential(1.0, 0.5, 30), optax.exponential_decay(1.0, 30, 0.5)),
    "polynomial": (Polynomial(1.0, 150, 3, 0.1), optax.polynomial_schedule(1.0, 0.1, 3, 150)),
    "cosine": (Cosine(1.0, 150), optax.cosine_decay_schedule(1.0, 150)),
    "warm-up": (
        WarmUp(20, Cosine(1.0, 130, 0.1), start=0.2),
        optax.warmup_cosine_decay_schedule(0.2, 1.0, 20, 150, 0.1),
    ),
    "sequence": (
        Sequence((Exponential(1.0, 0.5, 30), 0.5, Cosine(0.5, 50)), (40, 90)),
        optax.join_schedules(
            [
                optax.exponential_decay(1.0, 30, 0.5),
                optax.constant_schedule(0.5),
                optax.cosine_decay_schedule(0.5, 50),
            ],
            [40, 90],
        ),
    ),
    "interpolate": (
        Interpolate((0, 20, 100), (0.5, 1.0, 0.25)),
        optax.piecewise_interpolate_schedule("linear", 0.5, {20: 2.0, 100: 0.25}),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_schedule_has_the_values_of_optaxs(name):
    ours, theirs = PAIRS[name]
    with jax.enable_x64(True):
        wanted = [float(theirs(np.int64(step))) for step in STEPS]
    np.testing.assert_allclose([ours(step) for step in STEPS], wanted, rtol=1e-12, atol=1e-13)


def test_interpolation_is_numpys():
    steps, values = (3, 20, 21, 150), (0.5, -1.0, 0.25, 2.0)
    ours = [Interpolate(steps, values)(step) for step in STEPS]
    np.testing.assert_allclose(ours, np.interp(STEPS, steps, values), rtol=1e-12, atol=1e-14)


def test_inverse_decay_is_its_formula():
    ours = [Inverse(0.5, rate=0.03, power=0.75)(step) for step in STEPS]
    wanted = 0.5 * (1 + 0.03 * np.arange(200)) ** -0.75
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)


def test_warm_up_before_an_inverse_root_is_the_schedule_of_transformers():
    width, warm = 512, 40
    peak = (width * warm) ** -0.5
    schedule = WarmUp(warm, Inverse(peak, rate=1 / warm, power=0.5))
    for step in STEPS[1:]:
        wanted = width**-0.5 * min(step**-0.5, step * warm**-1.5)
        assert schedule(step) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "height"),
    [
        (Sine(0.1, 0.9, 7), lambda step: 1.0),
        (Sine2(0.1, 0.9, 7), lambda step: 0.5 ** (step // 14)),
        (SineExp(0.1, 0.9, 7, 0.98), lambda step: 0.98**step),
    ],
)
def test_sines_are_their_formula(schedule, height):
    for step in STEPS:
        wanted = 0.1 + 0.8 * abs(math.sin(math.pi * step / 14)) * height(step)
        assert schedule(step) == pytest.approx(wanted, rel=1e-12)


def test_a_schedule_in_epochs_is_stretched_to_steps():
    schedule = Stretched(StepDecay(1.0, 2, 0.5), 10)
    assert [schedule(step) for step in (0, 19, 20, 39, 40)] == [1.0, 1.0, 0.5, 0.5, 0.25]
