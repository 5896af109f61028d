from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import optshare
from optshare import Optimizer, Parameter, Rule
from optshare.errors import HyperparameterError
from optshare.rules.base import decayed


class Custom(Rule):
    lr: float = 0.1
    power: float = 2.0
    pair: tuple[float, float] = (1.0, 2.0)
    kind: str = "plain"
    flag: bool = False

    def step(self, value, gradient, state, t):
        return {}, self.lr * gradient


def test_hyperparameters_are_the_fields_by_name():
    assert optshare.SGD(lr=0.5).hyperparameters() == {
        "lr": 0.5,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "nesterov": False,
        "dampening": 0.0,
        "lr_in_buffer": False,
        "dampen_first": False,
        "decoupled_weight_decay": False,
        "decay_without_lr": False,
        "decay_after_step": False,
        "complex_as_reals": False,
    }
    assert Custom(pair=(3.0, 4.0)).hyperparameters() == {
        "lr": 0.1,
        "power": 2.0,
        "pair": (3.0, 4.0),
        "kind": "plain",
        "flag": False,
    }


def test_a_rule_is_frozen_and_adjusting_it_gives_another():
    rule = optshare.SGD(lr=0.5)
    with pytest.raises(FrozenInstanceError):
        rule.lr = 0.1
    other = rule.adjusted(lr=0.25)
    assert (rule.lr, other.lr) == (0.5, 0.25)


def test_hyperparameters_are_given_by_name_only():
    with pytest.raises(TypeError):
        Custom(0.1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"lr": -0.1}, r"Custom: lr must be in \[0, inf\), not -0.1"),
        ({"lr": "fast"}, "lr must be a number, not 'fast'"),
        ({"power": None}, "power must be a number, not None"),
        ({"pair": (1.0,)}, "pair must be 2 numbers"),
        ({"pair": 1.0}, "pair must be 2 numbers"),
        ({"flag": 1}, "flag must be a bool"),
        ({"kind": 3}, "kind must be a str"),
    ],
)
def test_a_strangers_rule_is_checked_by_its_defaults(wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        Custom(**wrong)
    with pytest.raises(HyperparameterError, match=says):
        Custom().adjusted(**wrong)


def test_an_unknown_name_is_refused_with_the_choices():
    with pytest.raises(HyperparameterError, match=r"Custom has no hyperparameter 'pow'; choices: "):
        Custom().adjusted(pow=1.0)


def test_a_learning_rate_of_zero_changes_no_value_and_advances_the_state():
    for face in (optshare.SGD, optshare.Adam, optshare.AdamW):
        p = Parameter([1.0])
        opt = face([p], lr=0.0)
        opt.update(p, np.ones(1))
        assert p.value.tolist() == [1.0]
        assert opt.state_for(p).t == 1


def test_weight_decay_is_added_to_the_gradient_and_left_out_where_it_is_zero():
    g = np.array([1.0])
    assert decayed(g, np.array([4.0]), 0.5).tolist() == [3.0]
    assert decayed(g, np.array([4.0]), 0.0) is g


def test_a_strangers_rule_is_bound_like_the_bundled_ones():
    p = Parameter([1.0])
    opt = Optimizer([p], Custom(lr=0.5))
    opt.update(p, np.ones(1))
    opt.adjust(lr=0.25)
    opt.update(p, np.ones(1))
    assert p.value.tolist() == [0.25]
    assert opt.state_for(p).kind == "plain"


def test_a_rule_without_a_step_says_so():
    with pytest.raises(NotImplementedError):
        Rule().step(1.0, 1.0, {}, 1)
