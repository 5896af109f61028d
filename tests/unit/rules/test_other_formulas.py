"""Options that give other frameworks' formulas: what they change, and what they refuse."""

import math

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.errors import HyperparameterError


@pytest.mark.parametrize(
    ("rule", "others"),
    [("SGD", {"momentum": 0.9}), ("RMSProp", {"momentum": 0.9}), ("OAdam", {})],
)
def test_where_lr_stands_tells_only_when_it_changes(rule, others, deviation):
    def run(later, **options):
        p = Parameter([1.0, 2.0])
        opt = getattr(optshare, rule)([p], lr=0.1, **others, **options)
        for lr in (0.1, 0.1, later):
            opt.adjust(lr=lr)
            opt.update([np.array([1.0, -0.5])])
        return p.value

    assert deviation(run(0.1), run(0.1, lr_in_buffer=True), 0.1) <= 1e-14
    assert deviation(run(0.01), run(0.01, lr_in_buffer=True), 0.1) > 1e-3


def probed(rule, **options):
    """The published probe: p = 1, g = .1, -.2, .3, lr = .1, eps = 1e-3."""
    p = Parameter([1.0])
    opt = getattr(optshare, rule)([p], lr=0.1, eps=1e-3, **options)
    for g in (0.1, -0.2, 0.3):
        opt.update([np.array([g])])
    return round(p.value.item(), 10)


@pytest.mark.parametrize(
    ("dialect", "wanted"),
    [
        ("torch", 0.9032044016),
        ("optax", 0.9032044016),
        ("flux", 0.9032044016),
        ("knet", 0.9032044016),
        ("keras", 0.9244505350),
        ("chainer", 0.9244505350),
        ("thinc", 0.9244505350),
    ],
)
def test_the_published_probe_of_adam(dialect, wanted):
    assert probed("Adam", dialect=dialect) == wanted


def test_the_published_probe_of_weight_decay():
    assert probed("AdamW", dialect="torch", weight_decay=0.1) == 0.8751098957
    assert probed("AdamW", dialect="chainer", weight_decay=0.1) == 0.6646783309


@pytest.mark.parametrize("rule", ["SGD", "Adam", "NAdam", "RAdam", "AdaMax", "AdaBelief", "Yogi"])
def test_weight_decay_is_taken_from_the_value_before_the_step_or_after_it(rule):
    def run(**options):
        p = Parameter([2.0])
        getattr(optshare, rule)([p], lr=0.5, **options).update([np.array([3.0])])
        return p.value.item()

    decay = {"weight_decay": 0.1, "decoupled_weight_decay": True}
    moved = run()
    assert run(**decay) == pytest.approx(moved - 0.5 * 0.1 * 2.0, rel=1e-14)
    assert run(**decay, decay_without_lr=True) == pytest.approx(moved - 0.1 * 2.0, rel=1e-14)
    assert run(**decay, decay_after_step=True) == pytest.approx(moved * (1 - 0.05), rel=1e-14)


@pytest.mark.parametrize("option", ["decay_without_lr", "decay_after_step"])
@pytest.mark.parametrize("rule", ["SGD", "Adam", "Adagrad"])
def test_ways_of_decoupled_decay_are_refused_where_it_is_not_decoupled(rule, option):
    says = f"{rule}: {option}=True needs decoupled_weight_decay=True"
    with pytest.raises(HyperparameterError, match=says):
        getattr(optshare, rule)(**{option: True})


@pytest.mark.parametrize("options", [{}, {"amsgrad": True, "eps_hat": True}])
@pytest.mark.parametrize("rule", ["Adam", "AdamW"])
def test_options_of_amsgrad_that_contradict_are_refused(rule, options):
    with pytest.raises(HyperparameterError, match=f"{rule}: amsgrad_corrected=True needs"):
        getattr(optshare, rule)(amsgrad_corrected=True, **options)


def test_a_threshold_of_radam_below_4_is_refused():
    with pytest.raises(HyperparameterError, match=r"RAdam: threshold must be in \[4, inf\), not 3"):
        optshare.RAdam(threshold=3.0)


def test_radam_of_optax_rectifies_an_average_of_length_5_and_torchs_does_not():
    """Of a beta2 a little above 2/3 the limit is one, and a length on the way to it is 5."""

    def run(dialect):
        p = Parameter([1.0])
        opt = optshare.RAdam([p], lr=0.1, betas=(0.9, math.nextafter(2 / 3, 1)), dialect=dialect)
        moves = []
        for _ in range(120):
            before = p.value.item()
            opt.update([np.full(1, 2.0)])
            moves.append(round(before - p.value.item(), 6))
        return moves.count(0.1)

    assert run("optax") > run("torch") > 0
