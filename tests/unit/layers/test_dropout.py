import copy
import pickle

import numpy as np
import pytest

import optshare
import optshare_tape
from optshare import Dropout, Parameter
from optshare.errors import HyperparameterError


def masks(layer, steps=3, shape=(4, 5), engine="tape"):
    """What the layer lets through of ones, in so many recorded steps."""
    p, found = Parameter(np.ones(shape)), []

    def loss():
        y = layer(p.value)
        found.append(optshare_tape.value(y))
        return y.sum()

    with optshare.use(engine):
        for _ in range(steps):
            g = optshare.gradient(loss, wrt=p)[p]
            np.testing.assert_array_equal(g, plain(found[-1]))
    return [plain(each) for each in found]


def plain(y):
    return np.asarray(getattr(y, "value", y))


def test_outside_a_recording_it_is_the_identity():
    layer, x = Dropout(0.5, seed=0), np.ones((100, 100))
    assert layer(x) is x
    assert layer.calls.value == 0


def test_while_recording_it_zeroes_a_share_and_scales_the_rest():
    (mask,) = masks(Dropout(0.25, seed=0), 1, (200, 200))
    assert set(np.unique(mask)) == {0.0, 1 / 0.75}
    zeros = (mask == 0).mean()
    # a share of n draws has the standard deviation sqrt(p * (1 - p) / n)
    assert abs(zeros - 0.25) < 5 * np.sqrt(0.25 * 0.75 / mask.size)


def test_the_gradient_passes_where_the_value_did():
    (mask,) = masks(Dropout(0.5, seed=1), 1)
    assert 0 < (mask == 0).mean() < 1


def test_each_recorded_step_has_a_new_mask():
    first, second, third = masks(Dropout(0.5, seed=0))
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_both_engines_have_the_same_masks():
    np.testing.assert_equal(
        masks(Dropout(0.5, seed=7), engine="tape"), masks(Dropout(0.5, seed=7), engine="functional")
    )


def test_a_seed_repeats_the_masks_and_another_gives_others():
    np.testing.assert_equal(masks(Dropout(0.5, seed=7)), masks(Dropout(0.5, seed=7)))
    assert not np.array_equal(masks(Dropout(0.5, seed=7), 1), masks(Dropout(0.5, seed=8), 1))


def test_the_default_seed_comes_from_optshares_and_differs_from_layer_to_layer():
    def two():
        optshare.seed(4)
        return masks(Dropout(0.5), 1) + masks(Dropout(0.5), 1)

    first, second = two()
    assert not np.array_equal(first, second)
    np.testing.assert_equal(two(), [first, second])


def test_one_layer_called_twice_in_a_step_has_two_masks(backend):
    layer, p, found = Dropout(0.5, seed=0), Parameter(np.ones(50)), []

    def loss():
        for _ in range(2):
            found.append(layer(p.value))
        return (found[-2] + found[-1]).sum()

    g = optshare.gradient(loss, wrt=p)[p]
    assert set(np.unique(g)) == {0.0, 2.0, 4.0}
    assert layer.calls.value == 2


def test_a_step_that_failed_draws_the_same_mask_again(backend):
    layer, p, found = Dropout(0.5, seed=0), Parameter(np.ones(50)), []

    def loss(fail):
        y = layer(p.value)
        found.append(plain(y))
        assert not fail
        return y.sum()

    with pytest.raises(AssertionError):
        optshare.gradient(loss, True, wrt=p)
    optshare.gradient(loss, False, wrt=p)
    np.testing.assert_array_equal(found[0], found[1])


def test_a_copy_goes_on_with_the_masks_of_the_original():
    layer = Dropout(0.5, seed=0)
    masks(layer, 2)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.calls is not layer.calls
        assert twin.calls.value == 2
        np.testing.assert_equal(masks(twin, 1), masks(Dropout(0.5, seed=0), 3)[2:])
    assert layer.calls.value == 2


def test_a_probability_of_zero_is_the_identity(backend):
    layer, p = Dropout(0.0, seed=0), Parameter(np.ones(5))
    assert optshare.gradient(lambda: layer(p.value).sum(), wrt=p)[p].tolist() == [1.0] * 5


def test_it_keeps_single_precision(backend):
    layer, p = Dropout(0.3, seed=0), Parameter(np.ones(5, np.float32))
    seen = []
    optshare.gradient(lambda: seen.append(layer(p.value).dtype) or layer(p.value).sum(), wrt=p)
    assert seen == [np.float32]


def test_it_acts_inside_record_and_not_inside_no_grad():
    layer, x = Dropout(0.5, seed=0), np.ones(100)
    with optshare.record():
        thinned = layer(x)
        with optshare_tape.no_grad():
            assert layer(x) is x
    assert set(np.unique(thinned)) == {0.0, 2.0}


@pytest.mark.parametrize("p", [1.0, -0.1, 2, np.nan, "half", None])
def test_a_probability_out_of_range_is_refused(p):
    with pytest.raises(HyperparameterError, match=r"p must be in \[0, 1\)"):
        Dropout(p)


def test_repr_shows_the_probability():
    assert repr(Dropout(0.25)) == "Dropout(0.25)"
