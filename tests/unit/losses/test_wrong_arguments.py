"""An error names the loss, the value and the fix."""

import numpy as np
import pytest

from optshare import losses
from optshare.errors import DataError, HyperparameterError, LabelError
from tests.unit.losses.references import CASES, LABELS, NUMBERS, OTHERS, SHARES, SIGNS, SOFT

PAIRED = [name for name in CASES if CASES[name].kind != "classes"]


@pytest.mark.parametrize("name", PAIRED)
def test_predictions_and_targets_are_not_broadcast(name):
    case = CASES[name]
    with pytest.raises(DataError, match=rf"{case.loss.__name__} of .*\(3, 4\).*\(3,\)"):
        case.loss(case.prediction, case.target[:, 0], **case.options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_predictions_are_floating_numbers(name, dtype):
    case = CASES[name]
    weight, _ = case.given(True, False)  # cross-entropy without options checks the labels alone
    with pytest.raises(DataError, match=r"the prediction is of .* must be of floating numbers"):
        case.ours(case.prediction.astype(dtype), weight=weight)


def test_complex_targets_are_refused():
    with pytest.raises(DataError, match="complex128 beside float64"):
        losses.mse(NUMBERS, OTHERS * 1j)


@pytest.mark.parametrize(
    "name", [name for name in CASES if CASES[name].options == {"logits": False}]
)
def test_scores_for_probabilities_are_refused(name):
    case = CASES[name]
    with pytest.raises(DataError, match=r"prediction has -.*not in \[0, 1\]; with logits=False"):
        case.ours(NUMBERS)


@pytest.mark.parametrize("loss", [losses.dice, losses.tversky])
def test_overlap_is_of_probabilities(loss):
    with pytest.raises(DataError, match=rf"{loss.__name__}: the prediction has -.*sigmoid"):
        loss(NUMBERS, SHARES)
    with pytest.raises(DataError, match=rf"{loss.__name__}: the target has -1"):
        loss(SHARES, SIGNS)
    with pytest.raises(DataError, match=r"shape \(4,\); it must be \(batch, ...\), so write"):
        loss(SHARES[0], SHARES[0])


@pytest.mark.parametrize(
    "loss", [losses.binarycrossentropy, losses.binary_focal, losses.contrastive]
)
def test_targets_of_two_classes_are_probabilities(loss):
    with pytest.raises(DataError, match=rf"{loss.__name__}: the target has -1, not in \[0, 1\]"):
        loss(NUMBERS, SIGNS)


@pytest.mark.parametrize("loss", [losses.hinge, losses.squared_hinge])
def test_targets_of_a_hinge_are_signs(loss):
    with pytest.raises(
        DataError, match=rf"{loss.__name__}: .*neither -1 nor 1; .* 2 \* target - 1"
    ):
        loss(NUMBERS, (SIGNS + 1) // 2)


@pytest.mark.parametrize("loss", [losses.crossentropy, losses.focal])
@pytest.mark.parametrize("weight", [None, np.ones(4)])
def test_labels_are_checked_whatever_the_options(loss, weight):
    for labels, says in (
        ([0, 1, 4], "label 4 is not one of 4 classes"),
        ([0, 1, -1], "label -1 is not one of 4 classes"),
        ([0.0, 1.0, 2.0], "integers, not float64"),
        ([0, 1], r"shape \(2,\) for scores of shape \(3, 4\)"),
        (np.eye(4, dtype=int)[[0, 1, 2]], r"labels of shape \(3, 4\)"),
    ):
        with pytest.raises(LabelError, match=says):
            loss(NUMBERS, labels, weight=weight)
        with pytest.raises(LabelError, match=says):
            loss(NUMBERS, labels, weight=weight, mask=True)


@pytest.mark.parametrize("loss", [losses.crossentropy, losses.focal, losses.kldivergence])
def test_target_probabilities_are_in_their_range(loss):
    with pytest.raises(DataError, match=rf"{loss.__name__}: the target has 2, not in"):
        loss(NUMBERS, 2 * np.eye(4)[:3])


@pytest.mark.parametrize("target", [LABELS, SOFT[:2], np.eye(4, dtype=int)[:3]])
def test_a_divergence_is_of_probabilities(target):
    with pytest.raises(DataError, match=r"kldivergence of a target of .* floating numbers of that"):
        losses.kldivergence(NUMBERS, target)


@pytest.mark.parametrize("loss", [losses.crossentropy, losses.focal, losses.nll])
def test_class_weights_are_one_for_each_class(loss):
    with pytest.raises(DataError, match=r"weight has shape \(3,\) for 4 classes; give one"):
        loss(NUMBERS, LABELS, weight=np.ones(3))


@pytest.mark.parametrize(
    ("loss", "option", "value"),
    [
        (losses.huber, "delta", 0.0),
        (losses.huber, "delta", -1.0),
        (losses.huber, "delta", np.nan),
        (losses.huber, "delta", np.inf),
        (losses.contrastive, "margin", 0.0),
        (losses.focal, "gamma", -1.0),
        (losses.focal, "gamma", np.nan),
        (losses.binary_focal, "gamma", -1.0),
        (losses.dice, "smooth", -1.0),
        (losses.tversky, "alpha", -1.0),
        (losses.tversky, "beta", np.inf),
        (losses.tversky, "smooth", -0.1),
    ],
)
def test_a_hyperparameter_out_of_its_range_is_named(loss, option, value):
    with pytest.raises(HyperparameterError, match=rf"{option} must be .* and finite, not {value}"):
        loss(SHARES, SHARES, **{option: value})


def test_distances_are_of_vectors():
    with pytest.raises(DataError, match=r"must be \(..., features\)"):
        losses.pairwise_distance(1.0, 2.0)
    with pytest.raises(DataError, match="pairwise_distance of"):
        losses.pairwise_distance(np.ones(2), np.ones(3))
