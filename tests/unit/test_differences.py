import math

import numpy as np
import pytest

from optshare.differences import EPS, PLACES, STEP, best, estimate, five_point


def along(f, x=0.0, step=STEP, magnitude=None):
    """The derivative of f at x."""
    return estimate(lambda t: f(x + t), f(x), magnitude or abs(f(x)), step)


@pytest.mark.parametrize("power", range(6))
def test_the_five_point_rule_is_exact_up_to_the_fourth_power(power):
    step = 0.5
    found = five_point([(1 + place * step) ** power for place in PLACES], step)
    error = step**4 / 30 * 120 if power == 5 else 0.0  # h^4 f'''''/30
    assert abs(found - power) == pytest.approx(error, abs=1e-13)


SMOOTH = {
    "exp": (math.exp, math.exp),
    "sin": (math.sin, math.cos),
    "power": (lambda x: x**7, lambda x: 7 * x**6),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("x", [0.3, 1.0, 2.5])
def test_the_error_covers_the_distance_to_the_derivative(name, x):
    f, slope = SMOOTH[name]
    found = along(f, x)
    assert abs(found.value - slope(x)) <= found.error
    assert found.error < 1e-8 * (abs(f(x)) + abs(slope(x)))


def test_the_truncation_is_that_of_the_central_difference():
    found = along(lambda x: math.sin(1000 * x), 0.3, magnitude=1.0)
    assert found.truncation == pytest.approx(STEP**2 * 1e9 / 6 * abs(math.cos(300.0)), rel=1e-3)
    assert abs(found.value - 1000 * math.cos(300.0)) < 1e-4 * found.truncation


@pytest.mark.parametrize("kink", [abs, lambda x: max(x, 0.0)])
def test_the_error_at_a_kink_is_as_large_as_the_kink(kink):
    found = along(kink)
    assert found.error > 0.5


def noisy(rng, step):
    return along(lambda x: math.sin(x) + 1e-12 * rng.normal(), 0.3, step)


def test_the_noise_is_that_of_a_sample():
    rng = np.random.default_rng(0)
    noises = [noisy(rng, STEP).noise for _ in range(1000)]
    assert np.sqrt(np.mean(np.square(noises))) == pytest.approx(1e-12, rel=0.1)


def test_the_best_of_several_steps_covers_the_noise():
    rng = np.random.default_rng(0)
    steps = [STEP * 8, STEP, STEP / 8, STEP / 64]
    found = [best([noisy(rng, step) for step in steps]) for _ in range(1000)]
    missed = sum(abs(each.value - math.cos(0.3)) > each.error for each in found)
    assert missed < 10
    assert all(each.step >= STEP for each in found)


def test_the_best_step_is_between_a_kink_and_the_rounding():
    steps = [STEP * 8, STEP, STEP / 8, STEP / 64]
    found = best([along(lambda x: max(x, 0.0), STEP / 2, step, 1.0) for step in steps])
    assert found.step == STEP / 8
    assert found.value == pytest.approx(1.0, abs=1e-9)


def test_there_is_no_best_of_what_is_not_finite():
    assert best([along(lambda x: math.nan, magnitude=1.0)]) is None


def test_no_error_is_less_than_the_rounding_of_the_terms():
    assert along(lambda x: 0.0 * x, magnitude=1e3).error == pytest.approx(4 * EPS * 1e3 / STEP)
