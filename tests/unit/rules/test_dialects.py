"""`dialect=`: a framework's options and defaults; what is given wins; unknown names are refused."""

from functools import partial

import pytest

import optshare
from optshare import Optimizer, Parameter, rules
from optshare.errors import HyperparameterError
from optshare.rules.dialects import DIALECTS, As, in_dialect

PRESETS = [
    pytest.param(dialect, rule, preset, id=f"{dialect} {preset.theirs} as {rule}")
    for dialect, found in DIALECTS.items()
    for rule, presets in found.items()
    for preset in presets
]


def test_the_dialects_are_the_seven_frameworks():
    assert set(DIALECTS) == {"torch", "keras", "optax", "flux", "knet", "chainer", "thinc"}


def test_a_dialect_sets_formula_and_defaults():
    rule = optshare.Adam(dialect="keras")
    assert (rule.eps, rule.eps_hat, rule.lr) == (1e-7, True, 1e-3)
    assert rule == rules.Adam(dialect="keras")


def p():
    return Parameter([1.0])


def test_what_is_given_wins():
    rule = optshare.RMSProp(dialect="keras", eps=1e-3, eps_in_root=False)
    assert (rule.eps, rule.eps_in_root, rule.alpha) == (1e-3, False, 0.9)


def test_a_dialect_binds_with_a_model():
    w = p()
    opt = optshare.SGD([w], dialect="knet", momentum=0.5)
    assert isinstance(opt, Optimizer)
    assert opt.state_for(w).rule == optshare.SGD(lr=0.05, momentum=0.5, lr_in_buffer=True)
    assert optshare.optimizers([w], optshare.SGD, dialect="knet").state_for(w).lr == 0.1


def test_a_hyperparameter_chooses_among_a_frameworks_rules():
    assert optshare.SGD(dialect="flux").lr == 0.1
    assert optshare.SGD(dialect="flux", momentum=0.9).lr == 0.01
    assert optshare.SGD(dialect="flux", nesterov=True) == optshare.SGD(
        lr=0.001, momentum=0.9, nesterov=True, lr_in_buffer=True
    )
    assert optshare.SGD(dialect="flux", nesterov=False).lr == 0.1


def test_a_default_may_be_another_hyperparameter():
    assert optshare.Adagrad(dialect="flux").initial_accumulator_value == 1e-8
    assert optshare.Adagrad(dialect="flux", eps=0.5).initial_accumulator_value == 0.5


def test_a_schedule_may_be_given_with_a_dialect():
    rule = optshare.Adam(dialect="keras", lr=lambda step: 1.0 / (1 + step))
    assert (rule.at(1).lr, rule.eps_hat) == (0.5, True)


def test_our_own_defaults_are_torchs():
    for name in DIALECTS["torch"]:
        assert getattr(optshare, name)(dialect="torch") == getattr(optshare, name)()


def test_an_unknown_dialect_names_the_choices():
    says = r"Adam: no dialect 'kears'; choices: keras \(did you mean this\?\), chainer, flux"
    for make in (optshare.Adam, rules.Adam, partial(optshare.Adam, [p()])):
        with pytest.raises(HyperparameterError, match=says):
            make(dialect="kears")


@pytest.mark.parametrize("wrong", [3, ["keras"], "", "Keras"])
def test_what_is_no_name_of_a_dialect_is_refused(wrong):
    with pytest.raises(HyperparameterError, match="no dialect"):
        optshare.Adam(dialect=wrong)


def test_a_rule_that_a_dialect_does_not_have_names_the_dialects_that_have_it():
    says = "the dialect 'torch' has no Yogi; dialects that have it: optax"
    with pytest.raises(HyperparameterError, match=says):
        optshare.Yogi(dialect="torch")


@pytest.mark.parametrize(
    ("dialect", "rule", "given", "says"),
    [
        ("flux", "Lion", {}, "does not follow its Lion: it swaps"),
        ("chainer", "SGD", {"momentum": 0.9, "nesterov": True}, "does not follow its NesterovAG"),
        ("thinc", "RAdam", {}, "one step more; give RAdam the options that you want"),
        ("optax", "Rprop", {}, "one update late"),
    ],
)
def test_a_rule_that_is_not_reproduced_says_why(dialect, rule, given, says):
    with pytest.raises(HyperparameterError, match=says):
        getattr(optshare, rule)(dialect=dialect, **given)


def test_an_unknown_hyperparameter_is_refused_in_every_dialect():
    with pytest.raises(HyperparameterError, match="Adam has no hyperparameter 'beta'"):
        optshare.Adam(dialect="keras", beta=0.9)
    with pytest.raises(TypeError, match="beta"):
        rules.Adam(dialect="keras", beta=0.9)


def test_a_rule_of_ones_own_has_no_dialect_even_if_its_name_has():
    class Adam(optshare.Rule):
        lr: float = 0.1

    assert Adam().lr == 0.1
    with pytest.raises(HyperparameterError, match="has no Adam; dialects that have it: none"):
        Adam(dialect="keras")


def test_dialect_is_no_hyperparameter():
    opt = optshare.Adam([p()], dialect="keras")
    assert "dialect" not in opt.state_dict()["parameters"]["0"]["hyperparameters"]
    with pytest.raises(HyperparameterError, match="no hyperparameter 'dialect'"):
        opt.adjust(dialect="torch")


@pytest.mark.parametrize(("dialect", "rule", "preset"), PRESETS)
def test_a_preset_names_hyperparameters_that_the_rule_has(dialect, rule, preset):
    known = getattr(optshare, rule)().hyperparameters()
    named = [*preset.options, *preset.when]
    named += [each.name for each in preset.options.values() if isinstance(each, As)]
    assert set(named) <= set(known)
    assert bool(preset.missing) <= (not preset.options)
    if not preset.when:
        assert DIALECTS[dialect][rule][0] is preset


@pytest.mark.parametrize(("dialect", "rule", "preset"), PRESETS)
def test_a_preset_has_no_option_that_is_our_default(dialect, rule, preset):
    ours = getattr(optshare, rule)().hyperparameters()
    assert {name for name, each in preset.options.items() if ours[name] == each} == set()
    assert set(preset.when).isdisjoint(preset.options)


def test_in_dialect_is_the_options_that_differ_and_what_is_given():
    found = in_dialect(rules.Adam, "flux", {"amsgrad": True})
    assert found == {"bias_correction": False, "initial_accumulator_value": 1e-8, "amsgrad": True}
