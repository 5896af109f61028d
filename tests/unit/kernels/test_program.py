import pytest

import optshare
from optshare import Rule
from optshare.kernels.program import program_of
from tests.unit.rules.cases import CASES, made

RULES = {
    "sgd": optshare.SGD(),
    "momentum": optshare.SGD(momentum=0.9),
    "nesterov": optshare.SGD(momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": optshare.Adam(),
    "adam with L2": optshare.Adam(weight_decay=0.1),
    "adamw": optshare.AdamW(),
    **{f"bundled {case}": made(case) for case in CASES},
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def names_on_arrays(program, rule):
    return {"value", "gradient", *rule.state_names(), *(result for result, _, _ in program.arrays)}


@every_rule
def test_what_depends_on_scalars_only_is_hoisted_to_the_host(rule):
    program = program_of(rule)
    on_arrays = names_on_arrays(program, rule)
    for result, _, operands in program.arrays:
        assert on_arrays.intersection(operands), f"{result} reads scalars only"
    for _, _, operands in program.scalars:
        assert not on_arrays.intersection(operands)


@every_rule
def test_no_operation_is_written_twice(rule):
    program = program_of(rule)
    for instructions in (program.scalars, program.arrays):
        computed = [(name, operands) for _, name, operands in instructions]
        assert len(computed) == len(set(computed))


@every_rule
def test_every_operand_is_there_before_it_is_read(rule):
    program = program_of(rule)
    kept = rule.initial_values()
    scalars = program.host(rule, 1, {name: kept.get(name, 0.0) for name in rule.scalar_names()})
    known = {*scalars, "value", "gradient", *rule.state_names()}
    for result, _, operands in program.arrays:
        assert {each for each in operands if isinstance(each, str)} <= known
        known.add(result)
    assert set(program.results) == set(rule.state_names())
    assert {*program.results.values(), program.step} <= known


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ("sgd", 1),  # lr * g
        ("momentum", 3),  # b = mu * b + g; lr * b
        ("nesterov", 7),  # g + wd * p; b = mu * b + g; lr * (g + mu * b)
        ("adam", 12),  # three for m, four for v, five for the step
        ("adamw", 14),  # and two for the decay
    ],
)
def test_a_rule_needs_no_more_passes_than_its_formula_has_operations(rule, passes):
    assert len(program_of(RULES[rule]).arrays) <= passes


def test_rules_of_one_structure_are_recorded_once():
    assert program_of(optshare.Adam(lr=0.1)) is program_of(optshare.Adam(lr=0.2, betas=(0.5, 0.6)))
    assert program_of(optshare.Adam()) is not program_of(optshare.AdamW(weight_decay=0.0))
    assert program_of(optshare.Adam()) is not program_of(optshare.Adam(weight_decay=0.1))
    assert program_of(optshare.SGD(momentum=0.9)) is not program_of(
        optshare.SGD(momentum=0.9, nesterov=True)
    )


def test_the_host_computes_scalars_in_double_precision():
    rule = optshare.Adam(lr=0.1, betas=(0.9, 0.999))
    program = program_of(rule)
    known = program.host(rule, 3)
    assert 1 - 0.999**3 in known.values()
    assert 0.1 / (1 - 0.9**3) in known.values()
    assert all(isinstance(each, float) for each in known.values())


def test_the_host_takes_the_numbers_of_the_rule_it_is_given():
    one, other = optshare.SGD(lr=0.1), optshare.SGD(lr=0.2)
    assert program_of(one).host(one, 1)["lr"] == 0.1
    assert program_of(one).host(other, 1)["lr"] == 0.2


def test_a_rule_that_forgets_a_state_is_told_which():
    class Forgetful(Rule):
        def state_names(self):
            return ("kept", "lost")

        def step(self, value, gradient, state, t):
            return {"kept": gradient}, gradient

    with pytest.raises(TypeError, match=r"Forgetful.step returned the state \['kept'\].*lost"):
        program_of(Forgetful())


def test_a_new_state_must_be_an_array():
    class Scalar(Rule):
        def state_names(self):
            return ("product",)

        def step(self, value, gradient, state, t):
            return {"product": 0.9**t}, gradient

    with pytest.raises(TypeError, match="'product' must be an array"):
        program_of(Scalar())


class Counting(Rule):
    def scalar_names(self):
        return ("count", "constant")

    def step(self, value, gradient, state, t):
        return {"count": state["count"] + t, "constant": 0.5}, state["count"] * gradient


def test_numbers_of_the_state_are_computed_on_the_host():
    program = program_of(Counting())
    known = program.host(Counting(), 3, {"count": 4.0, "constant": 0.5})
    assert program.kept(known) == {"count": 7.0, "constant": 0.5}
    assert program.results == {}


def test_a_new_number_must_not_be_an_array():
    class Array(Rule):
        def scalar_names(self):
            return ("product",)

        def step(self, value, gradient, state, t):
            return {"product": state["product"] * gradient}, gradient

    with pytest.raises(TypeError, match="'product' must be a number"):
        program_of(Array())


def test_a_rule_that_branches_on_an_array_is_told_to_use_where():
    class Branching(Rule):
        def step(self, value, gradient, state, t):
            return {}, gradient if gradient > 0 else -gradient

    with pytest.raises(TypeError, match="use where"):
        program_of(Branching())
