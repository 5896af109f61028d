"""Connectionist temporal classification beside PyTorch's, and beside all alignments, counted."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import ctc
from optshare.errors import DataError, HyperparameterError, LabelError
from tests.unit.closeness import assert_close

ENGINES = ["tape", "functional", "torch", "jax", "autograd"]
RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=(4, 7, 5))
LABELS = np.array([[1, 2, 2], [3, 1, -1], [4, -1, -1], [-1, -1, -1]])
STEPS, COUNTS = np.array([7, 5, 6, 4]), np.array([3, 2, 1, 0])
LENGTHS = {"input_lengths": STEPS, "target_lengths": COUNTS}


def torchs(scores, labels, steps, counts, reduction, **options):
    """The loss and its gradient, by way of log-softmax."""
    x = torch.tensor(scores, requires_grad=True)
    labels, steps, counts = (torch.tensor(np.array(each)) for each in (labels, steps, counts))
    logs = torch.log_softmax(x, -1).permute(1, 0, 2)
    found = torch.nn.functional.ctc_loss(
        logs, labels.clamp(min=0), steps, counts, reduction=reduction, **options
    )
    seed = torch.cos(torch.arange(found.numel(), dtype=torch.float64)).reshape(found.shape)
    total = (found * seed).sum() if found.ndim else found
    total.backward()
    return total.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_is_torchs(engine, reduction, on_engine):
    value, gradient, _ = on_engine(
        engine, lambda s: ctc(s, LABELS, **LENGTHS, reduction=reduction), SCORES
    )
    wanted, slope = torchs(SCORES, LABELS, STEPS, COUNTS, reduction)
    assert_close(value, wanted)
    assert_close(gradient, slope)


def test_the_blank_may_be_any_class():
    labels = np.array([[0, 1], [3, 3]])
    wanted, _ = torchs(SCORES[:2], labels, [7, 7], [2, 2], "sum", blank=4)
    assert_close(ctc(SCORES[:2], labels, blank=4, reduction="sum"), wanted)


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 3),
    time=st.integers(1, 6),
    classes=st.integers(2, 4),
    most=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_any_sequences_are_torchs(batch, time, classes, most, seed):
    rng = np.random.default_rng(seed)
    scores = 3 * rng.normal(size=(batch, time, classes))
    labels = rng.integers(1, classes, size=(batch, most))
    steps, counts = rng.integers(1, time + 1, batch), rng.integers(0, most + 1, batch)
    wanted, slope = torchs(scores, labels, steps, counts, "none", zero_infinity=True)
    seeds = np.cos(np.arange(batch))

    def loss(s):
        found = ctc(
            s,
            labels,
            input_lengths=steps,
            target_lengths=counts,
            zero_infinity=True,
            reduction="none",
        )
        return (found * seeds).sum()

    value, (gradient,) = optshare.value_and_gradient(loss, scores)
    assert_close(value, wanted)
    assert_close(gradient, slope)


def test_it_is_the_sum_over_all_alignments():
    scores, label = SCORES[0, :4, :3], (1, 1)
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(3), repeat=4):
        merged = [c for c, _ in itertools.groupby(path)]
        if tuple(c for c in merged if c) == label:
            total += np.prod([shares[t, c] for t, c in enumerate(path)])
    assert_close(ctc(scores[None], np.array([label]), reduction="sum"), -np.log(total))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("zero", [False, True])
def test_labels_that_do_not_fit_cost_infinity_or_nothing_and_have_no_gradient(
    engine, zero, on_engine
):
    labels = np.array([[1, 1], [1, 2]])  # 1 1 needs a blank between, and so three steps
    value, gradient, _ = on_engine(
        engine,
        lambda s: ctc(s, labels, zero_infinity=zero, reduction="sum"),
        SCORES[:2, :2],
    )
    wanted, slope = torchs(SCORES[:2, :2], labels, [2, 2], [2, 2], "sum", zero_infinity=True)
    assert_close(value, wanted if zero else np.inf)
    assert_close(gradient, slope)


def test_no_steps_fit_no_labels_alone():
    found = ctc(
        SCORES[:2], LABELS[:2], input_lengths=[0, 0], target_lengths=[0, 1], reduction="none"
    )
    assert found.tolist() == [0.0, np.inf]


def test_an_impossible_class_leaves_the_gradient_finite():
    scores = SCORES[:1].copy()
    scores[:, :, 4] = -np.inf
    value, (g,) = optshare.value_and_gradient(lambda s: ctc(s, np.array([[1, 2]])), scores)
    assert np.isfinite(value)
    assert np.isfinite(g).all()
    assert not g[:, :, 4].any()


def test_a_mask_leaves_sequences_out_whatever_is_in_them():
    mask = [True, False, True, False]
    spoiled, labels = SCORES.copy(), LABELS.copy()
    spoiled[1], spoiled[3], labels[1] = np.nan, np.nan, 99
    value, (g,) = optshare.value_and_gradient(
        lambda s: ctc(s, labels, **LENGTHS, mask=mask), spoiled
    )
    wanted = ctc(SCORES[mask], LABELS[mask], input_lengths=STEPS[mask], target_lengths=COUNTS[mask])
    assert_close(value, wanted)
    assert not g[[1, 3]].any()


def test_weights_belong_to_sequences_and_the_mean_divides_by_their_sum():
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    each = ctc(SCORES, LABELS, **LENGTHS, reduction="none") / np.maximum(COUNTS, 1)
    assert_close(ctc(SCORES, LABELS, **LENGTHS, weight=weight), np.average(each, weights=weight))


def test_lengths_are_the_arrays_by_default():
    labels = LABELS[:1]
    assert ctc(SCORES[:1], labels) == ctc(SCORES[:1], labels, input_lengths=[7], target_lengths=[3])


def test_log_probabilities_are_scores_too():
    logs = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
    assert_close(ctc(logs, LABELS, **LENGTHS), ctc(SCORES, LABELS, **LENGTHS))


def test_single_precision_stays():
    assert ctc(SCORES.astype(np.float32), LABELS, **LENGTHS).dtype == np.float32


def test_there_may_be_no_labels_at_all():
    found = ctc(SCORES, np.zeros((4, 0), int), reduction="sum")
    logs = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
    assert_close(found, -logs[:, :, 0].sum())


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"scores": SCORES[0]}, DataError, r"shape \(7, 5\); they must be \(batch, time, classes"),
        ({"scores": SCORES[:, :0]}, DataError, "at least one step"),
        ({"scores": SCORES.astype(int)}, DataError, "the prediction is of int64"),
        ({"labels": LABELS[0]}, DataError, r"labels has shape \(3,\); it must be \(4, any\)"),
        ({"labels": LABELS[:3]}, DataError, r"labels has shape \(3, 3\)"),
        ({"labels": LABELS + 0.0}, LabelError, "labels must be integers, not float64"),
        ({"labels": LABELS + 4}, LabelError, "label 5 is blank, or not one of 5 classes"),
        ({"labels": LABELS * 0}, LabelError, "label 0 is blank"),
        ({"target_lengths": None}, LabelError, "label -1 .* give target_lengths="),
        ({"target_lengths": [4, 1, 1, 1]}, DataError, "target_lengths has 4, .* between 0 and 3"),
        ({"input_lengths": [7, 5, 6, -1]}, DataError, "input_lengths has -1, .* 0 and 7"),
        ({"input_lengths": [7, 5]}, DataError, r"input_lengths has shape \(2,\)"),
        ({"input_lengths": [7.0] * 4}, LabelError, "input_lengths must be integers"),
        ({"blank": 5}, HyperparameterError, "blank must be one of 5 classes, not 5"),
        ({"reduction": "max"}, HyperparameterError, "not 'max'"),
        ({"mask": [False] * 4}, DataError, "ctc: the mask keeps nothing"),
        ({"weight": np.ones((2, 2))}, DataError, "ctc: the weight has shape"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(change, error, says):
    arguments = {"scores": SCORES, "labels": LABELS, **LENGTHS} | change
    with pytest.raises(error, match=says):
        ctc(arguments.pop("scores"), arguments.pop("labels"), **arguments)
