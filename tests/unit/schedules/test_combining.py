"""What holds of every schedule, and of those made of others."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import optshare
from optshare import schedules
from optshare.errors import HyperparameterError
from optshare.schedules import (
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    Inverse,
    Loop,
    MultiStep,
    OneCycle,
    Polynomial,
    Sequence,
    Shifted,
    Sine,
    Sine2,
    SineExp,
    StepDecay,
    Stretched,
    Triangular,
    Triangular2,
    TriangularExp,
    WarmUp,
)

EVERY = [
    Constant(0.5),
    StepDecay(0.5, 3),
    MultiStep(0.5, (2, 4)),
    Exponential(0.5, 0.9),
    Polynomial(0.5, 9),
    Inverse(0.5, 0.1),
    Cosine(0.5, 9),
    OneCycle(0.5, 9),
    Triangular(0.1, 0.5, 3),
    Triangular2(0.1, 0.5, 3),
    TriangularExp(0.1, 0.5, 3, 0.9),
    Sine(0.1, 0.5, 3),
    Sine2(0.1, 0.5, 3),
    SineExp(0.1, 0.5, 3, 0.9),
    WarmUp(3, Cosine(0.5, 9)),
    Sequence((0.1, Cosine(0.5, 9)), (3,)),
    Loop(Cosine(0.5, 9), 9),
    Shifted(Cosine(0.5, 9), 3),
    Stretched(Cosine(0.5, 9), 3),
    Interpolate((0, 9), (0.1, 0.5)),
]
named = pytest.mark.parametrize("schedule", EVERY, ids=lambda each: type(each).__name__)
steps = st.integers(0, 10_000)


def test_every_schedule_is_tested():
    assert {type(each).__name__ for each in EVERY} == set(schedules.__all__) - {"Schedule"}
    assert optshare.schedules is schedules


@named
def test_a_schedule_pickles_compares_and_shows_how_it_was_made(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule == copy.deepcopy(schedule)
    assert hash(schedule) == hash(copy.deepcopy(schedule))
    assert eval(repr(schedule), vars(schedules)) == schedule


@named
def test_a_schedule_gives_floats_between_its_values_for_ever(schedule):
    for step in [*range(40), 10**6]:
        value = schedule(step)
        assert type(value) is float
        assert -1e-15 <= value <= 0.5 + 1e-15


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), steps)
def test_a_sequence_is_in_the_schedule_of_the_last_milestone(lengths, step):
    milestones = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    parts = [lambda at, i=i: (i, at) for i in range(len(lengths) + 1)]
    place = sum(each <= step for each in milestones)
    begin = [0, *milestones][place]
    assert Sequence(parts, milestones)(step) == (place, step - begin)


@given(st.integers(1, 50), steps)
def test_a_loop_has_the_period_of_its_steps(period, step):
    loop = Loop(Exponential(1.0, 0.9), period)
    assert loop(step) == loop(step + period) == Exponential(1.0, 0.9)(step % period)


@given(st.integers(1, 50), steps)
def test_a_triangle_has_twice_the_period_of_its_steps(half, step):
    wave = Triangular(0.0, 1.0, half)
    assert wave(step) == wave(step + 2 * half)
    assert wave(step) == pytest.approx(wave(2 * half * 10_000 - step), abs=1e-12)


@given(st.integers(0, 50), steps)
def test_a_shifted_schedule_begins_later(by, step):
    assert Shifted(float, by)(step) == max(step - by, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant("fast"), "Constant: value must be a finite number, not 'fast'"),
        (lambda: Constant(float("nan")), "value must be a finite number, not nan"),
        (lambda: Cosine(1.0, 0), "Cosine: steps must be a number of at least 1, not 0"),
        (lambda: Cosine(1.0, True), "steps must be a number of at least 1, not True"),
        (lambda: StepDecay(1.0, 3, 0.0), "StepDecay: factor must be a number above 0, not 0.0"),
        (lambda: Inverse(1.0, -0.5), "Inverse: rate must be a number above 0, not -0.5"),
        (lambda: Polynomial(1.0, 3, 0), "Polynomial: power must be a number above 0, not 0"),
        (lambda: MultiStep(1.0, (3, 3)), r"milestones must be increasing .* not \(3, 3\)"),
        (lambda: MultiStep(1.0, ()), r"milestones must be increasing .* at least 1, not \(\)"),
        (lambda: OneCycle(1.0, 3), r"rise=0.3 of steps=3 leaves no step to go up"),
        (lambda: OneCycle(1.0, 10, rise=1.0), "or none to go down"),
        (lambda: OneCycle("high", 10), "OneCycle: peak must be a finite number, not 'high'"),
        (lambda: SineExp(0.0, 1.0, 3, -1.0), "SineExp: factor must be a number above 0, not -1.0"),
        (lambda: WarmUp(3, None), "WarmUp: then must be a schedule or a number, not None"),
        (lambda: Sequence((1.0, 2.0), (3, 5)), "2 schedules have 1 milestones between them, not 2"),
        (lambda: Sequence((1.0, "b"), (3,)), "each of schedules must be .* not 'b'"),
        (lambda: Loop("a", 3), "Loop: schedule must be a schedule or a number, not 'a'"),
        (lambda: Stretched(Constant(1.0), 0), "Stretched: by must be a number above 0, not 0"),
        (lambda: Interpolate((0, 2), (1.0,)), "Interpolate: 2 steps need as many values, not 1"),
        (lambda: Interpolate((0, 2), (1.0, "b")), "Interpolate: values are numbers, not 'b'"),
        (lambda: Interpolate((-1, 2), (1.0, 2.0)), "steps must be increasing .* at least 0"),
    ],
)
def test_impossible_options_are_refused(make, message):
    with pytest.raises(HyperparameterError, match=message):
        make()
