"""What is particular to single rules: limits, first steps, hyperparameters that change."""

import numpy as np
import pytest
import torch

import optshare
from optshare import Parameter
from optshare.errors import CheckpointError, HyperparameterError

WRONG = [
    ("SGD", {"dampening": -0.1}, r"dampening must be in \[0, 1\), not -0.1"),
    ("SGD", {"dampening": 1.0}, r"dampening must be in \[0, 1\)"),
    (
        "SGD",
        {"momentum": 0.9, "nesterov": True, "dampening": 0.1},
        "needs a dampening of 0, not 0.1",
    ),
    ("Adam", {"amsgrad": 1}, "amsgrad must be a bool, not 1"),
    ("NAdam", {"momentum_decay": -1.0}, r"NAdam: momentum_decay must be in \[0, inf\), not -1.0"),
    ("AdaBelief", {"eps_root": -1e-8}, r"eps_root must be in \[0, inf\)"),
    ("Yogi", {"initial_accumulator_value": -1.0}, r"initial_accumulator_value must be in \[0, inf"),
    ("RMSProp", {"alpha": 1.0}, r"RMSProp: alpha must be in \[0, 1\), not 1.0"),
    ("RMSProp", {"alpha": -0.1}, r"alpha must be in \[0, 1\)"),
    ("RMSProp", {"momentum": 1.5}, r"momentum must be in \[0, 1\)"),
    ("RMSProp", {"centered": "yes"}, "centered must be a bool"),
    ("Adagrad", {"lr_decay": -1.0}, r"lr_decay must be in \[0, inf\)"),
    ("Adagrad", {"initial_accumulator_value": float("nan")}, "initial_accumulator_value must be"),
    ("Adadelta", {"rho": 1.0}, r"Adadelta: rho must be in \[0, 1\), not 1.0"),
    (
        "Rprop",
        {"etas": (1.2, 0.5)},
        r"Rprop: etas must be 0 < etas\[0\] < 1 < etas\[1\], not",
    ),
    ("Rprop", {"etas": (0.0, 1.2)}, "etas must be 0 <"),
    ("Rprop", {"etas": (0.5, 1.0)}, "etas must be 0 <"),
    ("Rprop", {"etas": (0.5,)}, "etas must be 2 numbers"),
    ("Rprop", {"step_sizes": (1.0, 0.5)}, "step_sizes must be the smallest and the largest"),
    ("Rprop", {"step_sizes": (-1.0, 0.5)}, r"step_sizes must be in \[0, inf\)"),
]
ADAPTIVE = ["Adam", "AdamW", "NAdam", "RAdam", "AdaMax", "AdaBelief", "OAdam", "Yogi", "Lion"]
EVERY = [*ADAPTIVE, "SGD", "RMSProp", "Adagrad", "Adadelta", "Rprop"]
WRONG += [(name, {"lr": -0.1}, rf"{name}: lr must be in \[0, inf\), not -0.1") for name in EVERY]
WRONG += [(name, {"lr": float("nan")}, "lr must be") for name in EVERY]
WRONG += [(name, {"betas": (0.9, 1.0)}, rf"{name}: betas must be in \[0, 1\)") for name in ADAPTIVE]
WRONG += [(name, {"betas": (-0.1, 0.9)}, r"betas must be in \[0, 1\)") for name in ADAPTIVE]
WRONG += [
    (name, {"eps": -1e-8}, r"eps must be in \[0, inf\)")
    for name in EVERY
    if name not in ("SGD", "Lion", "Rprop")
]


@pytest.mark.parametrize(("rule", "options", "says"), WRONG)
def test_a_value_out_of_range_is_refused_bound_or_not(rule, options, says):
    face = getattr(optshare, rule)
    with pytest.raises(HyperparameterError, match=says):
        face(**options)
    with pytest.raises(HyperparameterError, match=says):
        face([Parameter([1.0])], **options)


@pytest.mark.parametrize("options", [{"etas": (1.5, 2.0)}, {"step_sizes": (2.0, 1.0)}])
def test_a_bad_adjustment_of_rprop_changes_nothing(options):
    p = Parameter([1.0])
    opt = optshare.Rprop([p])
    with pytest.raises(HyperparameterError):
        opt.adjust(**options)
    assert opt.state_for(p).rule == optshare.Rprop()


# -- SGD, Adam -----------------------------------------------------------------------------------


def test_dampening_spares_the_first_gradient_that_a_parameter_gets():
    p, q = Parameter([0.0]), Parameter([0.0])
    opt = optshare.SGD([p, q], lr=1.0, momentum=0.5, dampening=0.5)
    opt.update([np.array([1.0]), None])
    opt.update([np.array([1.0]), np.array([1.0])])
    assert opt.state_for(p).momentum_buffer.tolist() == [1.0]  # 0.5 * 1 + 0.5 * 1
    assert opt.state_for(q).momentum_buffer.tolist() == [1.0]


def test_amsgrad_divides_by_the_largest_second_moment():
    p = Parameter([0.0])
    opt = optshare.Adam([p], lr=1.0, betas=(0.0, 0.5), eps=0.0, amsgrad=True)
    opt.update([np.array([2.0])])
    opt.update([np.array([0.5])])
    state = opt.state_for(p)
    assert (state.exp_avg_sq.item(), state.max_exp_avg_sq.item()) == (1.125, 2.0)
    assert p.value.item() == pytest.approx(-1.0 - 0.5 / (2.0 / 0.75) ** 0.5, rel=1e-15)


# -- NAdam, RAdam --------------------------------------------------------------------------------


def test_nadam_remembers_the_momenta_that_each_parameter_had_as_torch_does(deviation):
    torch.set_default_dtype(torch.float64)
    try:
        p, q = Parameter([1.0]), Parameter([1.0])
        opt = optshare.NAdam([p, q], lr=0.1)
        tensors = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
        theirs = torch.optim.NAdam(tensors, lr=0.1)
        for step in range(12):
            if step == 6:
                opt.adjust(betas=(0.5, 0.9))
                theirs.param_groups[0]["betas"] = (0.5, 0.9)
            # from step 8 on both have had equally many updates, under other betas
            given = [1.0 if not 6 <= step < 8 else None, 1.0 if not 3 <= step < 5 else None]
            opt.update([None if g is None else np.array([g]) for g in given])
            for tensor, g in zip(tensors, given, strict=True):
                tensor.grad = None if g is None else torch.tensor([g])
            theirs.step()
        assert opt.state_for(p).t == opt.state_for(q).t == 10
        assert opt.state_for(p).mu_product != opt.state_for(q).mu_product
        for tensor, key in zip(tensors, (p, q), strict=True):
            assert deviation(tensor.detach().numpy(), key.value, 0.1) <= 1e-12
            product = theirs.state[tensor]["mu_product"].item()
            assert opt.state_for(key).mu_product == pytest.approx(product, rel=1e-14)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("beta2", [0.0, 1 / 3, 0.6, 2 / 3, 0.7])
def test_radam_knows_when_its_average_is_too_short(beta2):
    p = Parameter([1.0])
    opt = optshare.RAdam([p], lr=0.1, betas=(0.9, beta2))
    for _ in range(50):
        opt.update([np.ones(1)])
    rectified = beta2 == 0.7  # whose limit, 5.67, is above 5
    assert (abs(p.value.item() - (1 - 50 * 0.1)) > 1e-3) == rectified


def test_radam_ignores_a_second_moment_that_overflows_while_it_is_not_used():
    p = Parameter([1.0])
    optshare.RAdam([p], lr=1e-200).update([np.array([1e200])])
    assert abs(p.value.item()) <= 1e-15


# -- RMSProp, Adagrad, Adadelta, AdaMax ----------------------------------------------------------


def test_centered_rmsprop_stays_finite_where_the_gradient_never_changes():
    p = Parameter(np.zeros(3))
    opt = optshare.RMSProp([p], lr=1e-9, centered=True, alpha=0.5)
    for _ in range(2000):
        opt.update([np.array([0.1, 1 / 3, 0.7])])
    assert np.isfinite(p.value).all()


def test_a_state_begins_with_its_initial_value_where_torch_has_one():
    p = Parameter([1.0, 2.0])
    opt = optshare.Adagrad([p], initial_accumulator_value=0.5)
    opt.update([np.array([0.0, 2.0])])
    assert opt.state_for(p).sum.tolist() == [0.5, 4.5]


def test_adamax_without_eps_divides_a_gradient_of_zero_by_zero_as_torch_does():
    p = Parameter([1.0, 1.0])
    optshare.AdaMax([p], lr=0.1, eps=0.0).update([np.array([0.0, 1.0])])
    assert np.isnan(p.value).tolist() == [True, False]


# -- Rprop, Lion ---------------------------------------------------------------------------------


def test_rprop_grows_shrinks_and_stands_still():
    p = Parameter([0.0])
    opt = optshare.Rprop([p], lr=1.0, etas=(0.5, 2.0), step_sizes=(0.25, 3.0))
    seen = []
    for g in (1.0, 5.0, 2.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0):
        opt.update([np.array([g])])
        seen.append((opt.state_for(p).step_size.item(), p.value.item()))
    assert seen[:3] == [(1.0, -1.0), (2.0, -3.0), (3.0, -6.0)]
    assert seen[3:5] == [(1.5, -6.0), (1.5, -4.5)]  # a turn is waited for, then gone
    assert seen[5:7] == [(0.75, -4.5), (0.75, -5.25)]
    assert min(size for size, _ in seen) == 0.25


def test_a_learning_rate_of_rprop_that_changes_later_changes_nothing():
    def run(lr):
        p = Parameter([0.0])
        opt = optshare.Rprop([p], lr=0.5)
        opt.update([np.ones(1)])
        opt.adjust(lr=lr)
        opt.update([np.ones(1)])
        return p.value.item()

    assert run(0.5) == run(100.0) == -1.1


def test_lion_moves_every_element_by_lr():
    p = Parameter(np.zeros(3))
    optshare.Lion([p], lr=0.25).update([np.array([1e-30, -1e30, 0.0])])
    assert p.value.tolist() == [-0.25, 0.25, 0.0]


# -- numbers of the state ------------------------------------------------------------------------


def nadam():
    p = Parameter([1.0])
    opt = optshare.NAdam([p])
    opt.update([np.ones(1)])
    return p, opt


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda one: one.pop("scalars"), "lacks scalars"),
        (lambda one: one.update(scalars={}), "state numbers"),
        (lambda one: one["scalars"].update(more=1.0), "state numbers"),
        (lambda one: one["scalars"].update(mu_product="much"), "malformed"),
        (lambda one: one.update(scalars=None), "malformed"),
    ],
)
def test_damaged_numbers_are_refused_and_change_nothing(damage, says, unchanged):
    p, opt = nadam()
    saved = opt.state_dict()
    damage(saved["parameters"]["0"])
    with unchanged([p], opt), pytest.raises(CheckpointError, match=says):
        opt.load_state_dict(saved)


def test_numbers_of_the_state_read_as_attributes_and_go_with_the_shape():
    p, opt = nadam()
    assert opt.state_for(p).mu_product == opt.state_for(p).scalars["mu_product"] < 1.0
    first = opt.state_for(p).mu_product
    p.migrate(np.ones(3))
    opt.update([np.ones(3)])
    assert opt.state_for(p).mu_product == first
    with pytest.raises(AttributeError, match=r"choices: .*mu_product"):
        _ = opt.state_for(p).product


def test_amsgrad_is_adam_with_amsgrad():
    for dialect in ("torch", "keras", "optax", "flux", "chainer"):
        adam = optshare.Adam(amsgrad=True, dialect=dialect)
        assert optshare.AMSGrad(dialect=dialect).hyperparameters() == adam.hyperparameters()
    assert optshare.explain(optshare.AMSGrad, adam_with_amsgrad()).endswith(
        "They compute the same."
    )


def adam_with_amsgrad():
    return optshare.Adam(amsgrad=True)
