"""What is left out is in neither the loss nor its gradient, whatever stands there."""

import numpy as np
import pytest

import optshare
from optshare import losses
from optshare.errors import DataError, HyperparameterError
from tests.unit.closeness import assert_close
from tests.unit.losses.references import CASES, ELEMENT_MASK, NUMBERS, OTHERS, ROW_MASK

ENGINES = ["tape", "functional", "torch", "autograd"]


def spoiled(case, mask):
    """The prediction and target with NaN, or a wrong label, where the mask leaves out."""
    left = mask[:, None] if case.kind == "classes" else mask
    target = case.target
    if np.ndim(target) == 1:
        return np.where(left, case.prediction, np.nan), np.where(mask, target, -100)
    return np.where(left, case.prediction, np.nan), np.where(left, target, np.nan)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_what_is_masked_may_be_nan_or_no_label(name, engine, on_engine):
    case = CASES[name]
    mask = ROW_MASK if case.kind == "classes" else ELEMENT_MASK
    prediction, target = spoiled(case, mask)
    value, gradient, _ = on_engine(
        engine, lambda p: case.loss(p, target, **case.options, mask=mask), prediction
    )
    wanted, slope, _ = on_engine(engine, lambda p: case.ours(p, mask=mask), case.prediction)
    assert_close(value, wanted)
    assert_close(gradient, slope)
    left = np.broadcast_to(mask[:, None] if mask.ndim == 1 else mask, gradient.shape)
    assert not gradient[~left].any()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", [bool, int, float, list])
def test_a_mask_may_be_truths_or_0_and_1(name, kind):
    case = CASES[name]
    mask = ROW_MASK if case.kind == "classes" else ELEMENT_MASK
    given = mask.tolist() if kind is list else mask.astype(kind)
    assert_close(case.ours(case.prediction, mask=given), case.ours(case.prediction, mask=mask))


@pytest.mark.parametrize("name", CASES)
def test_a_mask_that_keeps_all_changes_nothing(name):
    case = CASES[name]
    found = case.ours(case.prediction, mask=True, weight=None)
    assert_close(found, case.ours(case.prediction))


@pytest.mark.parametrize("name", CASES)
def test_a_mask_that_keeps_nothing_is_refused(name):
    case = CASES[name]
    named = "crossentropy" if case.loss is losses.nll else case.loss.__name__
    with pytest.raises(DataError, match=f"{named}: the mask keeps nothing of shape"):
        case.ours(case.prediction, mask=False)


@pytest.mark.parametrize("name", CASES)
def test_a_mask_of_other_numbers_is_refused(name):
    case = CASES[name]
    with pytest.raises(DataError, match="other than 0 and 1; use weight="):
        case.ours(case.prediction, mask=0.5)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("option", ["mask", "weight"])
def test_a_mask_or_weight_of_another_shape_is_refused(name, option):
    case = CASES[name]
    with pytest.raises(DataError, match=rf"the {option} has shape \(7,\)"):
        case.ours(case.prediction, **{option: np.ones(7)})


def test_a_mask_for_each_row_needs_an_axis_where_losses_are_of_elements():
    with pytest.raises(DataError, match=r"mask\[..., None\]"):
        losses.mse(NUMBERS, OTHERS, mask=ROW_MASK)
    wanted = losses.mse(NUMBERS[ROW_MASK], OTHERS[ROW_MASK])
    assert_close(losses.mse(NUMBERS, OTHERS, mask=ROW_MASK[:, None]), wanted)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].kind != "overlap"])
def test_weights_that_sum_to_nothing_have_no_mean(name):
    case = CASES[name]
    zero = np.zeros(4)
    with pytest.raises(DataError, match="sum to 0, so there is no mean"):
        case.ours(case.prediction, weight=zero)
    assert case.ours(case.prediction, weight=zero, reduction="sum") == 0.0


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_reduction_names_the_choices(name):
    case = CASES[name]
    with pytest.raises(HyperparameterError, match="'mean', 'sum' or 'none', not 'max'"):
        case.ours(case.prediction, reduction="max")


@pytest.mark.parametrize("name", CASES)
def test_an_empty_batch_has_a_sum_and_no_mean(name):
    """PyTorch gives NaN for the mean; here it raises."""
    case = CASES[name]
    prediction, target = case.prediction[:0], case.target[:0]
    with pytest.raises(DataError, match=r"have shape \(0.*so there is no mean; leave the empty"):
        case.loss(prediction, target, **case.options)
    assert case.loss(prediction, target, **case.options, reduction="sum") == 0.0
    empty = case.loss(prediction, target, **case.options, reduction="none")
    assert empty.shape in ((0,), (0, 4))


def test_weights_are_differentiated_too():
    weight = np.array([1.0, 3.0])
    found = optshare.gradient(
        lambda w: losses.mse(np.array([1.0, 2.0]), np.zeros(2), weight=w), weight
    )[0]
    assert_close(found, [(1 - 13 / 4) / 4, (4 - 13 / 4) / 4])
