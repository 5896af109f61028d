import numpy as np
import pytest

import optshare
from optshare import Chain, Dense, Dropout, accuracy, minibatch
from optshare.errors import DataError, LabelError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(10, 4)).astype(np.float32), RNG.integers(0, 3, 10)


def test_the_share_is_over_all_examples_and_not_over_the_parts():
    model = Chain(Dense(4, 3), Dropout(0.9, seed=0))
    whole = float(np.mean(np.argmax(model(X), axis=-1) == Y))
    assert accuracy(model, minibatch(X, Y, 4)) == pytest.approx(whole, abs=0)
    assert accuracy(model, [(X, Y)]) == whole


def test_nothing_is_recorded_meanwhile():
    seen = []

    def model(x):
        seen.append(optshare.recording())
        return x

    accuracy(model, [(X[:, :3], Y)])
    assert seen == [False]


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_the_model_may_be_on_another_engine(name):
    layer = optshare.Dense(4, 3)
    wanted = accuracy(layer, [(X, Y)])
    moved = optshare.to(layer, name)
    ops = optshare.namespace_of(moved.weight.value)
    assert accuracy(moved, [(ops.asarray(X), Y)]) == wanted


def test_data_that_are_used_up_are_refused():
    data = iter([(X[:, :3], Y)])
    accuracy(lambda x: x, data)
    with pytest.raises(DataError, match="a generator that was used up before"):
        accuracy(lambda x: x, data)


def test_a_label_out_of_range_is_refused():
    with pytest.raises(LabelError, match="label 7"):
        accuracy(lambda x: x, [(X[:, :3], np.full(10, 7))])
