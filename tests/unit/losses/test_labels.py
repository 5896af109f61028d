import numpy as np
import pytest
import torch

import optshare
from optshare import accuracy, crossentropy, mse, nll
from optshare.errors import DataError, HyperparameterError, LabelError

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def scores():
    return 5 * np.random.default_rng(0).normal(size=(7, 4))


@pytest.fixture
def labels():
    return np.array([0, 1, 2, 3, 3, 0, 1])


def beside_torch(ours, theirs, scores, deviation):
    """The value and the gradient of two losses."""
    value, (g, *_) = optshare.value_and_gradient(ours, scores)
    tensor = torch.tensor(scores, requires_grad=True)
    loss = theirs(tensor)
    loss.backward()
    assert deviation(loss.detach().numpy(), np.asarray(value)) <= 1e-12
    assert deviation(tensor.grad.numpy(), g) <= 1e-12


def test_mse_is_torchs(scores, deviation):
    target = np.ones((7, 4))
    beside_torch(
        lambda s: mse(s, target),
        lambda s: torch.nn.functional.mse_loss(s, torch.tensor(target)),
        scores,
        deviation,
    )


@pytest.mark.parametrize("loss", [nll, crossentropy])
def test_nll_applies_log_softmax_as_torchs_cross_entropy_does(loss, scores, labels, deviation):
    beside_torch(
        lambda s: loss(s, labels),
        lambda s: torch.nn.functional.cross_entropy(s, torch.tensor(labels)),
        scores,
        deviation,
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_crossentropy_has_torchs_options(smoothing, reduction, scores, labels, deviation):
    beside_torch(
        lambda s: crossentropy(s, labels, label_smoothing=smoothing, reduction=reduction),
        lambda s: torch.nn.functional.cross_entropy(
            s, torch.tensor(labels), label_smoothing=smoothing, reduction=reduction
        ),
        scores,
        deviation,
    )


def test_without_a_reduction_there_is_one_loss_for_each_label(scores, labels, deviation):
    found = crossentropy(scores, labels, reduction="none")
    wanted = torch.nn.functional.cross_entropy(
        torch.tensor(scores), torch.tensor(labels), reduction="none"
    )
    assert deviation(wanted.numpy(), found) <= 1e-12


def test_classes_are_on_the_last_axis_whatever_comes_before(deviation):
    scores = np.random.default_rng(0).normal(size=(2, 3, 4))
    labels = np.array([[0, 1, 2], [3, 2, 1]])
    wanted = crossentropy(scores.reshape(6, 4), labels.reshape(6))
    assert deviation(np.asarray(wanted), np.asarray(crossentropy(scores, labels))) <= 1e-15


def test_large_scores_do_not_overflow():
    scores = np.array([[1e4, 0.0], [-1e4, 0.0]])
    assert nll(scores, np.array([0, 1])) == 0.0
    assert nll(scores, np.array([1, 0])) == 1e4
    g = optshare.gradient(lambda s: nll(s, np.array([1, 0])), scores)[0]
    assert g.tolist() == [[0.5, -0.5], [-0.5, 0.5]]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_labels_may_be_of_any_integer_dtype_and_a_list(scores, labels, dtype):
    wanted = nll(scores, labels)
    assert nll(scores, labels.astype(dtype)) == wanted
    assert nll(scores, labels.tolist()) == wanted


def test_losses_keep_single_precision(scores, labels):
    single = scores.astype(np.float32)
    assert nll(single, labels).dtype == np.float32
    assert mse(single, single).dtype == np.float32


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([0, 1, 2, 3, 3, 0, 4], "label 4 is not one of 4 classes, counted from 0"),
        ([0, 1, 2, 3, 3, 0, -1], "label -1 is not one of 4 classes"),
        ([0.0] * 7, "integers, not float64"),
        ([True] * 7, "integers, not bool"),
        (["a"] * 7, "integers, not"),
        ([0] * 6, r"shape \(6,\) for scores of shape \(7, 4\)"),
        ([[0]] * 7, r"shape \(7, 1\) for scores of shape \(7, 4\)"),
        (np.eye(4, dtype=int)[[0] * 7], r"shape \(7, 4\)"),
    ],
)
@pytest.mark.parametrize("loss", [nll, crossentropy, accuracy])
def test_wrong_labels_are_refused_with_the_reason(loss, labels, says, scores):
    with pytest.raises(LabelError, match=says):
        loss(scores, labels)


def test_mse_does_not_broadcast():
    with pytest.raises(DataError, match=r"\(3, 1\).*\(3,\)"):
        mse(np.ones((3, 1)), np.ones(3))


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, np.nan])
def test_label_smoothing_is_a_share(smoothing, scores, labels):
    with pytest.raises(HyperparameterError, match=r"label_smoothing must be in \[0, 1\]"):
        crossentropy(scores, labels, label_smoothing=smoothing)


def test_an_unknown_reduction_names_the_choices(scores, labels):
    with pytest.raises(HyperparameterError, match="'mean', 'sum' or 'none', not 'max'"):
        crossentropy(scores, labels, reduction="max")


def test_accuracy_is_the_share_of_highest_scores(scores):
    best = scores.argmax(1)
    assert accuracy(scores, best) == 1.0
    assert accuracy(scores, (best + 1) % 4) == 0.0
    mixed = best.copy()
    mixed[:3] = (mixed[:3] + 1) % 4
    assert accuracy(scores, mixed) == 4 / 7
    assert type(accuracy(scores, best)) is float


def test_accuracy_can_be_asked_for_while_recording(scores):
    seen = []

    def loss(s):
        seen.append(accuracy(s, scores.argmax(1)))
        return s.sum()

    optshare.gradient(loss, scores)
    assert seen == [1.0]
