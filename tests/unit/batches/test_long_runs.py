"""A hundred steps in float32 are those in float64, within what their roundings explain."""

import numpy as np
import pytest

import optshare
from tests.unit.batches.one_by_one import RUNNERS, batches_of

UNIT = 2.0**-24
STEPS, LR = 100, 0.01
SHAPES = [(40, 25), (333,), (8, 8)]

# How large a step is, in learning rates, where gradients have magnitudes from a half to one and
# a half, and by how many units in the last place, of its size, a step is off at most: the few
# roundings of its own, and those that a moment with decay b keeps, (its roundings) / (1 - b).
RULES = {
    "SGD": (optshare.SGD(lr=LR), 1.5, 4),
    "SGD, momentum": (optshare.SGD(lr=LR, momentum=0.9), 15, 4 + 2 / (1 - 0.9)),
    "RMSProp": (optshare.RMSProp(lr=LR), 10, 10 + 4 / (1 - 0.99)),
    "Adagrad": (optshare.Adagrad(lr=LR), 1, 10 + 4 * STEPS),
    "Adam": (optshare.Adam(lr=LR), 3, 10 + 4 / (1 - 0.999)),
    "AdamW": (optshare.AdamW(lr=LR), 3, 10 + 4 / (1 - 0.999)),
    "Lion": (optshare.Lion(lr=LR), 1, 4),
}


def drawn(rng):
    """Magnitudes from a half to one and a half; of one sign, so that none vanishes in a mean."""
    return [rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in SHAPES]


def trained(rule, dtype):
    """The parameters after a hundred steps, and the largest magnitude that they had."""
    rng = np.random.default_rng(1)
    parameters = [optshare.Parameter(each.astype(dtype)) for each in drawn(rng)]
    opt = optshare.Optimizer(parameters, rule)
    largest = 0.0
    for _ in range(STEPS):
        largest = max(largest, *(float(np.abs(each.value).max()) for each in parameters))
        opt.update([each.astype(dtype) for each in drawn(rng)])
    return [each.value for each in parameters], largest


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", RULES)
def test_a_hundred_steps_are_those_of_float64(name, runner):
    if runner == "Compiled":
        pytest.importorskip("numba")
    rule, size, units = RULES[name]
    with batches_of(runner):
        found, _ = trained(rule, np.float32)
        expected, largest = trained(rule, np.float64)
    bound = STEPS * UNIT * (largest + LR * size * units)
    furthest = max(
        float(np.abs(one - other).max()) for one, other in zip(found, expected, strict=True)
    )
    assert all(each.dtype == np.float32 for each in found)
    assert 0 < furthest <= bound
    assert all(np.abs(each).max() > 0.1 for each in expected)
