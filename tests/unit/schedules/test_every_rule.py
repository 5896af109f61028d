"""A schedule of the learning rate, under every rule, is an adjustment before each step."""

import numpy as np
import pytest

import optshare
from optshare import Parameter, rules
from optshare.schedules import WarmUp

NAMES = [
    name
    for name in rules.__all__
    if isinstance(getattr(rules, name), type) and hasattr(getattr(rules, name), "lr")
]


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_is_an_adjustment_before_each_step(name):
    schedule = WarmUp(3, lambda step: 0.1 / (1 + step), start=0.01)
    ends = []
    for scheduled in (True, False):
        w = Parameter([[0.5, -1.0]])
        rule = getattr(rules, name)(lr=schedule if scheduled else schedule(0))
        opt = optshare.Optimizer([w], rule)
        for step in range(8):
            if not scheduled:
                opt.adjust(lr=schedule(step))
            opt.update([w.value * 3 + np.sin(step)])
        ends.append(w.value)
    assert (ends[0] == ends[1]).all()
    assert not np.allclose(ends[0], [0.5, -1.0])
