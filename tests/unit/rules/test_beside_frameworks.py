"""Every rule beside the framework that has it, in float64: values and state to 1e-12."""

import numpy as np
import pytest
import torch

import optshare
from optshare import Optimizer, Parameter
from tests.unit.rules.cases import ARRAY_CASES, CASES, VARIANTS, made
from tests.unit.rules.frameworks import (
    OPTAX_RULES,
    SCHEDULE_FREE_RULES,
    TORCH_RULES,
    beside,
)

STEPS = 25
every_case = pytest.mark.parametrize("case", [each for each in CASES if each not in VARIANTS])


@pytest.fixture(autouse=True)
def _scalars_in_double_precision():
    """PyTorch keeps NAdam's product in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradient(step, shape):
    """Zero at step 3, absent at steps 0, 5 and 6, else random."""
    if step in (0, 5, 6):
        return None
    return np.random.default_rng(step).normal(size=shape) * (step != 3)


@every_case
@pytest.mark.parametrize("shape", [(), (0,), (5, 7)], ids=str)
def test_values_and_state_are_the_frameworks(case, shape, deviation):
    start, lr = np.random.default_rng(100).normal(size=shape), 0.1
    p = Parameter(start)
    opt = Optimizer([p], made(case, lr=lr))
    name, options = CASES[case]
    theirs = beside(name, start, lr, options)
    for step in range(STEPS):
        if step == 10:
            lr = 0.02
            opt.adjust(lr=lr)
        g = gradient(step, shape)
        opt.update([g])
        theirs.update(g, lr)
        assert deviation(theirs.value, p.value, lr) <= 1e-12, step
    state = opt.state_for(p)
    assert state.t == STEPS - 3
    kept = {name: np.asarray(each) for name, each in (state.arrays | state.scalars).items()}
    assert sorted(kept) == sorted(theirs.state)
    for each, array in theirs.state.items():
        assert deviation(array, kept[each], lr) <= 1e-12, each


def test_every_rule_is_held_to_a_framework():
    rules = {
        name
        for name in optshare.__all__
        if isinstance(getattr(optshare, name), type(optshare.Adam))
    }
    array_rules = {name for name, _ in ARRAY_CASES.values()}
    held = {*TORCH_RULES, *OPTAX_RULES, *SCHEDULE_FREE_RULES, *array_rules}
    assert rules == held == {name for name, _ in (CASES | ARRAY_CASES).values()}


@pytest.mark.parametrize("rule", SCHEDULE_FREE_RULES)
def test_defaults_of_the_schedule_free_rules_are_the_authors(rule):
    theirs = SCHEDULE_FREE_RULES[rule]([torch.zeros(1)]).defaults
    for name, default in getattr(optshare, rule)().hyperparameters().items():
        assert default == theirs[name], name


OF_OTHERS = ("lr_in_buffer", "eps_in_root", "eps_hat", "eps_root", "amsgrad_corrected")
"""Options that torch lacks, for the formulas of other frameworks: off."""
NOT_TORCHS = ("complex_as_reals",)
"""What torch always does and we do if asked: off."""


@pytest.mark.parametrize("rule", TORCH_RULES)
def test_defaults_are_torchs(rule):
    theirs = TORCH_RULES[rule]([torch.zeros(1)]).defaults
    for name, default in getattr(optshare, rule)().hyperparameters().items():
        assert default == (0 if name in OF_OTHERS + NOT_TORCHS else theirs[name]), name


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("AdaBelief", {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-16, "eps_root": 1e-16}),
        (
            "Yogi",
            {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-3, "initial_accumulator_value": 1e-6},
        ),
        ("OAdam", {"lr": 1e-3, "betas": (0.5, 0.9), "eps": 1e-8}),
        ("Lion", {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}),
    ],
)
def test_defaults_are_the_papers_where_torch_lacks_the_rule(rule, wanted):
    assert getattr(optshare, rule)().hyperparameters() == wanted
