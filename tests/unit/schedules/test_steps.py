"""What a step is, what a schedule is asked, and what is left after an error."""

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.errors import CheckpointError, HyperparameterError
from optshare.kernels.program import program_of
from optshare.schedules import Cosine, Shifted, StepDecay

G = np.ones(1)


class Asked:
    """A learning rate that remembers at which steps it was asked."""

    def __init__(self):
        self.steps = []

    def __call__(self, step):
        self.steps.append(step)
        return 0.5 ** (step + 1)


@pytest.fixture
def pair():
    return [Parameter([1.0]), Parameter([1.0])]


def values(pair):
    return [float(each.value[0]) for each in pair]


def test_a_schedule_is_asked_once_for_each_step_of_the_optimizer(pair):
    asked = Asked()
    opt = optshare.SGD(pair, lr=asked)
    for _ in range(3):
        opt.update([G, G])
    opt.step(lambda: (pair[0] * pair[1]).sum())
    assert asked.steps == [0, 1, 2, 3]
    assert opt.steps == 4


def test_the_step_is_the_optimizers_and_not_the_parameters_own(pair):
    opt = optshare.SGD(pair, lr=Asked())
    opt.update([G, None])
    opt.update([G, None])
    opt.update([None, G])
    assert values(pair) == [1 - 0.5 - 0.25, 1 - 0.125]
    assert opt.state_for(pair[1]).t == 1


def test_a_loop_of_updates_over_the_parameters_is_one_step(pair):
    opt = optshare.SGD(pair, lr=Asked())
    for _ in range(2):
        for w in pair:
            opt.update(w, G)
    assert opt.steps == 2
    assert values(pair) == [1 - 0.5 - 0.25] * 2


def test_a_loop_of_updates_after_a_step_is_the_next_one(pair):
    opt = optshare.SGD(pair, lr=Asked())
    opt.update([G, G])
    for w in pair:
        opt.update(w, G)
    assert values(pair) == [1 - 0.5 - 0.25] * 2


def test_a_loop_of_updates_goes_on_where_it_was_saved(pair):
    opt, other = (optshare.SGD(pair, lr=Asked()) for _ in range(2))
    opt.update(pair[0], G)
    other.load_state_dict(opt.state_dict())
    other.update(pair[1], G)
    assert values(pair) == [0.5, 0.5]
    assert other.steps == 1


def test_a_step_that_updates_nothing_is_none(pair):
    opt = optshare.SGD(pair, lr=Asked())
    opt.update([None, None])
    optshare.freeze(pair)
    opt.update([G, G])
    opt.update(pair[0], G)
    assert opt.steps == 0


def test_a_step_that_fails_is_none(pair):
    opt = optshare.SGD(pair, lr=Asked())
    with pytest.raises(optshare.errors.NonFiniteLossError):
        opt.step(lambda: (pair[0] * np.inf).sum())
    with pytest.raises(optshare.errors.GradientShapeError):
        opt.update([G, np.ones(7)])
    assert opt.steps == 0
    assert values(pair) == [1.0, 1.0]


@pytest.mark.parametrize("given", [-0.1, np.nan, np.inf, None, "fast", True, np.ones(2), 1j])
def test_a_value_out_of_range_changes_nothing(pair, given):
    opt = optshare.Adam(pair)
    opt.adjust(pair[1], lr=lambda step: given if step == 2 else 0.1)
    opt.update([G, G])
    opt.update([G, G])
    before, state = values(pair), opt.state_for(pair[0]).exp_avg.copy()
    with pytest.raises(HyperparameterError, match=r"Adam: lr is .* at step 2, by its schedule <"):
        opt.update([G, G])
    assert values(pair) == before
    assert (opt.state_for(pair[0]).exp_avg == state).all()
    assert opt.steps == opt.state_for(pair[0]).t == 2


def test_an_error_of_a_schedule_leaves_buffers_as_they_were(pair):
    calls = optshare.Buffer(0.0)
    opt = optshare.SGD(pair, lr=lambda step: 0.1 - step)

    def loss():
        calls.value = calls.value + 1
        return (pair[0] * pair[1]).sum()

    opt.step(loss)
    with pytest.raises(HyperparameterError):
        opt.step(loss)
    assert float(calls.value) == 1.0


def test_the_error_names_the_schedule_the_step_and_the_range(pair):
    opt = optshare.SGD(pair, momentum=Cosine(1.0, 4))
    with pytest.raises(
        HyperparameterError,
        match=r"SGD: momentum is 1.0 at step 0, by its schedule "
        r"Cosine\(value=1.0, steps=4, end=0.0\); it must be a number in \[0, 1\)",
    ):
        opt.update([G, G])


def test_what_a_schedule_raises_is_raised(pair):
    opt = optshare.SGD(pair, lr=[0.5].__getitem__)
    opt.update([G, G])
    with pytest.raises(IndexError):
        opt.update([G, G])
    assert opt.steps == 1
    assert opt.state_dict()["parameters"]["0"]["hyperparameters"]["lr"] == 0.5


def test_an_array_of_no_dimensions_is_a_number(pair):
    opt = optshare.SGD(pair, lr=lambda step: np.asarray(0.5))
    opt.update([G, G])
    assert values(pair) == [0.5, 0.5]


def test_state_for_shows_the_number_that_the_last_update_used(pair):
    opt = optshare.Adam(pair, lr=Asked(), betas=(0.9, Cosine(0.9, 4)))
    assert opt.state_for(pair[0]).lr == 0.5
    opt.update([G, G])
    assert opt.state_for(pair[0]).lr == 0.5
    opt.update([G, None])
    assert opt.state_for(pair[0]).lr == 0.25
    assert opt.state_for(pair[1]).lr == 0.5
    assert opt.state_for(pair[0]).betas == (0.9, Cosine(0.9, 4)(1))
    assert isinstance(opt.state_for(pair[0]).rule.lr, Asked)


def test_a_part_has_a_schedule_of_its_own(pair):
    opt = optshare.SGD(pair, lr=0.5)
    opt.update([G, G])
    opt.adjust(pair[1], lr=Shifted(StepDecay(0.25, 1, 0.5), opt.steps))
    opt.update([G, G])
    opt.update([G, G])
    assert values(pair) == [1 - 1.5, 1 - 0.5 - 0.25 - 0.125]
    opt.adjust(lr=0.5)
    opt.update([G, G])
    assert values(pair) == [1 - 2.0, 1 - 0.875 - 0.5]


def test_a_reset_of_all_begins_the_schedules_again_and_one_of_a_part_does_not(pair):
    opt = optshare.SGD(pair, lr=Asked())
    opt.update([G, G])
    opt.reset(pair[0])
    opt.update([G, G])
    assert values(pair) == [0.25, 0.25]
    opt.reset()
    opt.update([G, G])
    assert values(pair) == [-0.25, -0.25]
    assert opt.steps == 1


def test_schedules_are_recorded_once_whatever_their_values():
    rule = optshare.AdamW(lr=Cosine(1.0, 4), weight_decay=lambda step: step % 2)
    assert program_of(rule) is program_of(optshare.AdamW(lr=0.1, weight_decay=0.5))
    assert rule.at(0).weight_decay == 0.0
    assert program_of(rule).host(rule.at(3), 1)["weight_decay"] == 1.0


def test_a_rule_of_numbers_is_itself_at_every_step():
    rule = optshare.Adam()
    assert rule.at(5) is rule


def test_a_class_is_no_schedule():
    with pytest.raises(HyperparameterError, match="lr must be a number, not <class 'float'>"):
        optshare.SGD(lr=float)


def test_a_state_holds_numbers_and_loads_into_schedules_or_numbers(pair):
    opt = optshare.Adam(pair, lr=Asked(), betas=(Cosine(0.8, 9), 0.99))
    opt.update([G, G])
    opt.update([G, G])
    data = opt.state_dict()
    assert data["steps"] == 2
    one = data["parameters"]["0"]
    assert one["hyperparameters"]["lr"] == 0.25
    assert one["hyperparameters"]["betas"] == (Cosine(0.8, 9)(1), 0.99)

    plain = optshare.Adam(pair)
    plain.load_state_dict(data)
    assert plain.state_for(pair[0]).rule.lr == 0.25

    scheduled = optshare.Adam(pair, betas=(0.5, Cosine(0.9, 9)))
    scheduled.load_state_dict(data)
    assert scheduled.steps == 2
    assert scheduled.state_for(pair[0]).rule.lr == 0.25
    assert scheduled.state_for(pair[0]).rule.betas == (Cosine(0.8, 9)(1), Cosine(0.9, 9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("steps"), "lacks steps"),
        (lambda data: data.update(steps=-1), "count of steps is -1"),
        (lambda data: data.update(steps=1), "'0': its last update is at none of the saved 1 steps"),
        (lambda data: data["parameters"]["1"].pop("step"), "'1': the saved state lacks step"),
        (lambda data: data["parameters"]["1"].update(step=-2), "'1': its last update"),
    ],
)
def test_a_state_whose_steps_do_not_fit_is_refused(pair, change, message):
    opt = optshare.SGD(pair, lr=0.5)
    opt.update([G, G])
    opt.update([G, G])
    data = opt.state_dict()
    change(data)
    other = optshare.SGD(pair, lr=0.25)
    with pytest.raises(CheckpointError, match=message):
        other.load_state_dict(data)
    assert (other.steps, other.state_for(pair[0]).lr) == (0, 0.25)
