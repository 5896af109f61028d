"""The schedule-free rules beside their authors' package, in float64: values, state to 1e-12."""

import numpy as np
import pytest
import torch

import optshare
from optshare import Optimizer, Parameter
from tests.unit.rules.cases import CASES, made
from tests.unit.rules.proofs import STEPS, gradient
from tests.unit.rules.schedule_free_package import RULES, ScheduleFree


@pytest.mark.parametrize("case", [case for case, (name, _) in CASES.items() if name in RULES])
@pytest.mark.parametrize("shape", [(), (0,), (5, 7)], ids=str)
def test_values_and_state_are_the_authors(case, shape, deviation):
    start, lr = np.random.default_rng(100).normal(size=shape), 0.1
    p = Parameter(start)
    opt = Optimizer([p], made(case, lr=lr))
    name, options = CASES[case]
    theirs = ScheduleFree(name, start, lr, options)
    for step in range(STEPS):
        if step == 10:
            lr = 0.02
            opt.adjust(lr=lr)
        g = gradient(step, shape)
        opt.update([g])
        theirs.update(g, lr)
        assert deviation(theirs.value, p.value, lr) <= 1e-12, step
    state = opt.state_for(p)
    kept = {name: np.asarray(each) for name, each in (state.arrays | state.scalars).items()}
    assert sorted(kept) == sorted(theirs.state)
    for each, array in theirs.state.items():
        assert deviation(array, kept[each], lr) <= 1e-12, each


@pytest.mark.parametrize("rule", RULES)
def test_defaults_of_the_schedule_free_rules_are_the_authors(rule):
    theirs = RULES[rule]([torch.zeros(1)]).defaults
    for name, default in getattr(optshare, rule)().hyperparameters().items():
        assert default == theirs[name], name
