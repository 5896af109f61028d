import numpy as np
import pytest

import optshare
from optshare import crossentropy, label_smoothing
from optshare.errors import HyperparameterError, LabelError
from tests.unit.closeness import assert_close

ONE_HOT = np.eye(4)[[3, 0, 2]]


def test_it_is_fluxs_formula():
    """Flux.Losses.label_smoothing: y .* (1 - a) .+ a / size(y, dims), and a / 2 for dims=0."""
    assert_close(label_smoothing(ONE_HOT, 0.2), ONE_HOT * 0.8 + 0.2 / 4)
    assert_close(label_smoothing(ONE_HOT, 0.3, axis=0), ONE_HOT * 0.7 + 0.3 / 3)
    assert_close(label_smoothing(ONE_HOT, 0.2, axis=None), ONE_HOT * 0.8 + 0.2 / 2)


def test_smoothed_targets_are_the_option_of_crossentropy():
    scores = np.random.default_rng(0).normal(size=(3, 4))
    wanted = crossentropy(scores, [3, 0, 2], label_smoothing=0.2)
    assert_close(crossentropy(scores, label_smoothing(ONE_HOT, 0.2)), wanted)


def test_log_softmax_is_computed_once(monkeypatch):
    found = optshare.namespace_of(ONE_HOT).nn
    calls, log_softmax = [], found.log_softmax
    monkeypatch.setattr(found, "log_softmax", lambda x: (calls.append(1), log_softmax(x))[1])
    monkeypatch.setattr(found, "cross_entropy", None)
    crossentropy(ONE_HOT, [3, 0, 2], label_smoothing=0.2)
    assert calls == [1]


def test_single_precision_stays():
    assert label_smoothing(ONE_HOT.astype(np.float32), 0.2).dtype == np.float32


def test_labels_are_refused():
    with pytest.raises(LabelError, match=r"not int64; for labels use crossentropy"):
        label_smoothing(np.array([3, 0, 2]), 0.2)


@pytest.mark.parametrize("amount", [-0.1, 1.1, np.nan])
def test_the_amount_is_a_share(amount):
    with pytest.raises(HyperparameterError, match=r"amount must be in \[0, 1\]"):
        label_smoothing(ONE_HOT, amount)
