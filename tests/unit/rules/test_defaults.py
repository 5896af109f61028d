"""The canonical defaults: PyTorch's where it has the rule, else the paper's."""

import pytest
import torch

import optshare

TORCH = ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adagrad", "Adadelta", "Rprop")
OTHERWISE = {"AdaMax": "Adamax", "RMSProp": "RMSprop"}
OF_THE_MACHINE = {"foreach", "fused", "capturable", "differentiable", "maximize"}
"""Torch's options that are no part of a formula."""


@pytest.mark.parametrize("rule", [*TORCH, *OTHERWISE])
def test_defaults_are_torchs(rule):
    theirs = getattr(torch.optim, OTHERWISE.get(rule, rule))([torch.zeros(1)]).defaults
    ours = getattr(optshare, rule)().hyperparameters()
    formula = {name: each for name, each in theirs.items() if name not in OF_THE_MACHINE}
    assert {name: ours[name] for name in formula} == formula


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
    ours = getattr(optshare, rule)().hyperparameters()
    assert {name: ours[name] for name in wanted} == wanted
