"""Kinks, the ends of the ranges, dtypes, and large numbers."""

import numpy as np
import pytest

import optshare
from optshare import losses
from tests.unit.closeness import assert_close
from tests.unit.losses.references import CASES, NUMBERS, SOFT

ENGINES = ["tape", "functional", "torch", "jax", "autograd"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("loss", "x", "value", "slope"),
    [
        pytest.param(lambda x: losses.mae(x, np.zeros(1)), [0.0], 0.0, [0.0], id="mae"),
        pytest.param(lambda x: losses.huber(x, np.zeros(1)), [1.0], 0.5, [1.0], id="huber"),
        pytest.param(lambda x: losses.hinge(x, np.ones(1)), [1.0], 0.0, [0.0], id="hinge"),
        pytest.param(
            lambda x: losses.contrastive(x, np.ones(1)), [1.0], 0.0, [0.0], id="contrastive"
        ),
        pytest.param(
            lambda x: losses.pairwise_distance(x, np.zeros(2)), [0.0, 0.0], 0.0, [0.0, 0.0],
            id="pairwise_distance",
        ),
        pytest.param(lambda x: losses.poisson(x, np.zeros(1)), [0.0], 0.0, [1.0], id="poisson"),
        pytest.param(
            lambda x: losses.binarycrossentropy(x, np.array([0, 1]), logits=False), [0.0, 1.0],
            0.0, [0.5, -0.5], id="binarycrossentropy",
        ),
        pytest.param(
            lambda x: losses.binary_focal(x, np.array([0, 1]), logits=False, gamma=0.5),
            [0.0, 1.0], 0.0, [0.0, 0.0], id="binary_focal",
        ),
        pytest.param(
            lambda x: losses.crossentropy(x, np.array([[0.0, 1.0]]), logits=False), [[0.0, 1.0]],
            0.0, [[0.0, -1.0]], id="crossentropy",
        ),
        pytest.param(
            lambda x: losses.focal(x, np.array([[0.0, 1.0]]), logits=False, gamma=0.5),
            [[0.0, 1.0]], 0.0, [[0.0, 0.0]], id="focal",
        ),
        pytest.param(
            lambda x: losses.kldivergence(x, np.array([[0.0, 1.0]]), logits=False), [[0.0, 1.0]],
            0.0, [[0.0, -1.0]], id="kldivergence",
        ),
        pytest.param(
            lambda x: losses.crossentropy(x, np.array([[0.5, 0.0, 0.5]])), [[0.0, -np.inf, 0.0]],
            np.log(2), [[0.0, 0.0, 0.0]], id="an impossible class",
        ),
        pytest.param(
            lambda x: losses.dice(x, np.zeros((1, 2)), smooth=0.0), [[0.0, 0.0]], 0.0,
            [[0.0, 0.0]], id="dice",
        ),
    ],
)  # fmt: skip
def test_at_a_kink_or_an_end_value_and_gradient_are_finite(
    engine, loss, x, value, slope, on_engine
):
    found, gradient, _ = on_engine(engine, loss, np.array(x))
    assert_close(found, value)
    assert_close(gradient, slope)


def test_a_target_probability_of_0_has_the_gradient_of_others():
    target = np.array([[0.0, 1.0]])
    found = optshare.gradient(lambda t: losses.crossentropy(np.zeros((1, 2)), t), target)[0]
    assert_close(found, [[np.log(2), np.log(2)]])


@pytest.mark.parametrize("score", [1e3, -1e3])
@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("loss", [losses.binarycrossentropy, losses.binary_focal])
def test_large_scores_of_two_classes_do_not_overflow(score, bit, loss):
    right = (score > 0) == bool(bit)
    value, (g,) = optshare.value_and_gradient(lambda s: loss(s, np.array([bit])), np.array([score]))
    assert value == (0.0 if right else 1e3)
    assert g.tolist() == [0.0 if right else float(np.sign(score))]


def test_a_small_loss_of_two_classes_keeps_its_digits():
    assert losses.binarycrossentropy(np.array([50.0]), np.array([1])) == np.exp(-50.0)
    assert losses.binarycrossentropy(np.array([-50.0]), np.array([0])) == np.exp(-50.0)
    tiny = losses.binarycrossentropy(np.array([1e-20]), np.array([0]), logits=False)
    assert tiny == 1e-20


def test_huge_differences_do_not_overflow_huber():
    assert losses.huber(np.array([1e200]), np.zeros(1)) == 1e200


def test_huber_has_the_second_derivative_of_a_parabola_at_0():
    def slope(x):
        return optshare.gradient(lambda y: losses.huber(y, np.zeros(1)), x)[0][0]

    with optshare.use("functional"):
        assert optshare.gradient(slope, np.zeros(1))[0].tolist() == [1.0]


def test_the_kink_of_focal_with_a_small_gamma_is_flat():
    scores = np.array([[1e3, 0.0]])
    value, (g,) = optshare.value_and_gradient(
        lambda s: losses.focal(s, np.array([0]), gamma=0.5), scores
    )
    assert value == 0.0
    assert not g.any()


def test_without_gamma_focal_is_the_crossentropy():
    labels, bits = np.array([1, 0, 3]), np.ones((3, 4))
    assert_close(losses.focal(NUMBERS, labels, gamma=0), losses.crossentropy(NUMBERS, labels))
    assert_close(
        losses.binary_focal(NUMBERS, bits, gamma=0), losses.binarycrossentropy(NUMBERS, bits)
    )


def test_a_probability_of_0_of_what_occurs_costs_infinity():
    with np.errstate(divide="ignore"):
        assert losses.crossentropy(np.array([[0.0, 1.0]]), [0], logits=False) == np.inf
        assert losses.binarycrossentropy(np.zeros(1), np.ones(1), logits=False) == np.inf


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_single_precision_stays_whatever_the_target_is(name, weighted):
    case = CASES[name]
    weight, mask = case.given(weighted, weighted)
    single = case.prediction.astype(np.float32)
    assert case.ours(single, weight=weight, mask=mask).dtype == np.float32


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", [losses.mse, losses.mae, losses.huber, losses.poisson])
@pytest.mark.parametrize("target", [[1, 2, 0], np.array([1, 2, 0]), np.array([1, 2, 0], np.uint8)])
def test_targets_of_numbers_may_be_integers(engine, loss, target, on_engine):
    x = np.array([0.5, 2.5, 1.5])
    found, gradient, _ = on_engine(engine, lambda p: loss(p, target), x)
    wanted, slope, _ = on_engine("tape", lambda p: loss(p, np.array([1.0, 2.0, 0.0])), x)
    assert_close(found, wanted)
    assert_close(gradient, slope)


@pytest.mark.parametrize("name", CASES)
def test_a_batch_of_one_is_its_loss(name):
    case = CASES[name]
    rows = [
        case.loss(case.prediction[i : i + 1], case.target[i : i + 1], **case.options)
        for i in range(3)
    ]
    assert_close(np.mean(rows), case.ours(case.prediction))


def test_targets_are_differentiated_too():
    found = optshare.gradient(lambda t: losses.kldivergence(NUMBERS, t), SOFT)[0]
    logs = NUMBERS - np.log(np.exp(NUMBERS).sum(-1, keepdims=True))
    assert_close(found, (np.log(SOFT) + 1 - logs) / 3)


def test_a_parameter_is_taken_for_its_value():
    p = optshare.Parameter(NUMBERS)
    assert losses.mse(p, p) == 0.0
