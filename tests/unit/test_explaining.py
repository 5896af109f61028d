"""explain: the differing terms of two rules, with both formulas, in words."""

import pytest

import optshare
from optshare import SGD, Adam, AdamW, NAdam, RAdam, RMSProp, explain


def parts(text):
    """What is said to differ, and the two formulas of each."""
    head, _, body = text.partition("\n\n")
    lines = body.split("\n\n")[0].splitlines()
    found, name = {}, None
    for line in lines:
        if not line.startswith("  "):
            name = line
        elif ": " in line[:5]:
            found.setdefault(name, []).append(line[5:])
    return head.splitlines()[2], {name: tuple(each) for name, each in found.items()}


def test_adam_of_torch_and_keras_differ_in_correction_and_eps():
    sentence, found = parts(explain(Adam, Adam(dialect="keras")))
    assert sentence == (
        "They differ in the numerator of the step, the denominator of the step and eps."
    )
    assert found == {
        "the numerator of the step": (
            "lr / (1 - beta1**t) * exp_avg",
            "lr / (1 - beta1**t) * sqrt(1 - beta2**t) * exp_avg",
        ),
        "the denominator of the step": (
            "sqrt(exp_avg_sq / (1 - beta2**t)) + eps",
            "sqrt(exp_avg_sq) + eps",
        ),
        "eps": ("1e-08", "1e-07"),
    }


def test_weight_decay_is_in_the_gradient_or_beside_the_step():
    decay = {"weight_decay": 0.1}
    assert parts(explain(Adam(**decay), AdamW(**decay)))[1] == {
        "the gradient g that enters": ("gradient + weight_decay * value", "gradient"),
        "the weight decay": ("none", "lr * weight_decay * value"),
    }
    ways = [AdamW(dialect=name, **decay) for name in ("chainer", "thinc")]
    assert parts(explain(*ways))[1] == {
        "the weight decay": ("weight_decay * value", "lr * weight_decay * (value - step)")
    }


def test_where_lr_stands_shows_with_momentum_only():
    without = explain(SGD(lr=0.1), SGD(lr=0.1, dialect="keras"))
    assert "They compute the same." in without
    assert "Without effect here: decoupled_weight_decay, lr_in_buffer." in without
    momentum = {"lr": 0.1, "momentum": 0.9}
    assert parts(explain(SGD(**momentum), SGD(**momentum, dialect="keras")))[1] == {
        "momentum_buffer": (
            "momentum * old_momentum_buffer + g",
            "momentum * old_momentum_buffer + lr * g",
        ),
        "the step": ("lr * momentum_buffer", "momentum_buffer"),
    }


def test_eps_stands_in_the_root_or_outside():
    sentence, found = parts(explain(RMSProp, RMSProp(dialect="optax")))
    assert found["the step"] == (
        "lr * g / (sqrt(square_avg) + eps)",
        "lr * g / sqrt(square_avg + eps)",
    )
    assert found["alpha"] == ("0.99", "0.9")
    assert sentence.endswith("and alpha.")


def test_rules_that_differ_in_numbers_only_say_so():
    assert parts(explain(NAdam, NAdam(dialect="keras")))[1] == {
        "lr": ("0.002", "0.001"),
        "eps": ("1e-08", "1e-07"),
        "momentum_decay": ("0.004", "1.0"),
    }
    assert parts(explain(Adam, Adam(betas=(0.9, 0.99))))[1] == {"beta2": ("0.999", "0.99")}


def test_a_long_formula_that_is_used_often_is_told_once():
    text = explain(RAdam, RAdam(dialect="optax"))
    assert "  c1 = 2 / (1 - beta2) - 1\n  c2 = c1 - 2 * t * beta2**t / (1 - beta2**t)\n" in text
    assert text.count("2 / (1 - beta2)") == 1


def test_a_state_that_begins_otherwise_is_told():
    found = parts(explain(Adam(amsgrad=True), Adam(amsgrad=True, dialect="flux")))[1]
    assert found["what exp_avg begins with"] == ("0.0", "1e-08")
    assert parts(explain(optshare.Rprop, optshare.Rprop(lr=0.5)))[1] == {
        "what step_size begins with": ("0.01", "0.5")
    }


def test_state_that_one_rule_keeps_is_told():
    found = parts(explain(Adam, RMSProp))[1]
    assert found["square_avg"] == ("none", "alpha * old_square_avg + (1 - alpha) * g**2")
    assert found["alpha"] == ("none", "0.99")
    assert "momentum" not in found


@pytest.mark.parametrize("face", [Adam, SGD, RAdam, optshare.Lion])
def test_a_rule_is_the_same_as_itself(face):
    assert explain(face, face()).endswith("They compute the same.")


def test_a_rule_of_ones_own_is_explained():
    class Signed(optshare.Rule):
        lr: float = 0.1
        power: float = 2.0

        def step(self, value, gradient, state, t):
            return {}, self.lr * abs(gradient) ** self.power * -1.0

    assert parts(explain(Signed(), Signed(power=3.0)))[1] == {"power": ("2.0", "3.0")}
    assert parts(explain(Signed, SGD(lr=0.1)))[1]["the step"] == ("lr * |g|**power * -1", "lr * g")


def test_of_rules_that_are_not_recorded_the_hyperparameters_are_compared():
    class Whole(optshare.ArrayRule):
        lr: float = 0.1
        nesterov: bool = False

        def array_step(self, ops, value, gradient, state, t):
            return {}, gradient / ops.sqrt(ops.sum(gradient * gradient))

    assert parts(explain(Whole(), Whole(lr=0.5, nesterov=True)))[1] == {
        "lr": ("0.1", "0.5"),
        "nesterov": ("False", "True"),
    }


def test_chains_are_compared_piece_by_piece():
    one = optshare.OptimizerChain(SGD(lr=0.5), Adam())
    text = explain(one, optshare.OptimizerChain(SGD(lr=0.5), AdamW(weight_decay=0.0)))
    first, second = text.split("\n\n", 1)
    assert first.startswith("piece 0: a is SGD(lr=0.5)")
    assert first.endswith("They compute the same.")
    assert second.startswith("piece 1: a is Adam(lr=0.001)\nb is AdamW")
    assert parts(explain(one, optshare.OptimizerChain(SGD())))[1]["1.eps"] == ("1e-08", "none")


@pytest.mark.parametrize("wrong", [3, "adam", None])
def test_what_is_no_rule_is_refused(wrong):
    with pytest.raises(TypeError, match="explain takes two rules"):
        explain(Adam, wrong)
    with pytest.raises(TypeError, match="explain takes two rules"):
        explain(lambda: wrong, Adam)
