import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import Chain, MaxPool, MeanPool
from optshare.errors import DataError
from tests.unit.layers.agreement import assert_agrees, drawn

pytestmark = pytest.mark.usefixtures("backend")

POOLS = {MaxPool: "MaxPool{}d", MeanPool: "AvgPool{}d"}
CASES = {  # spatial sizes, window, options
    "line": ((9,), 3, {}),
    "plane": ((6, 5), (3, 2), {}),
    "volume": ((4, 5, 4), (2, 3, 2), {"stride": (1, 2, 2)}),
    "one_number": ((6, 4), 2, {}),
    "left_over": ((7, 5), 2, {}),
    "overlapping": ((7, 6), 3, {"stride": 2}),
    "apart": ((8, 7), 2, {"stride": 3}),
    "padding": ((5, 6), (3, 2), {"stride": 2, "padding": 1}),
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_values_and_gradients_are_torchs(pool, case, batch, backend):
    space, window, options = CASES[case]
    module = getattr(torch.nn, POOLS[pool].format(len(space)))(window, **options)
    assert_agrees(pool(window, **options), module, drawn(batch, 3, *space), backend)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), pool=st.sampled_from([*POOLS]))
def test_any_sizes_agree_with_torch(data, pool):
    few = st.integers(1, 3)
    axes = data.draw(few)
    window, stride = (
        tuple(data.draw(st.lists(few, min_size=axes, max_size=axes))) for _ in range(2)
    )
    padding = tuple(data.draw(st.integers(0, n // 2)) for n in window)
    space = tuple(n + data.draw(st.integers(0, 3)) for n in window)
    options = {"stride": stride, "padding": padding}
    module = getattr(torch.nn, POOLS[pool].format(axes))(window, **options)
    assert_agrees(pool(window, **options), module, drawn(2, 2, *space))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("pool", POOLS)
def test_the_window_is_2_along_each_axis_by_default(pool, axes):
    x = drawn(2, 3, *(5, 4, 6)[:axes])
    np.testing.assert_array_equal(pool()(x), pool((2,) * axes, stride=2)(x))
    assert pool()(x).shape == (2, 3, *(2, 2, 3)[:axes])


def test_each_side_may_have_its_own_padding():
    x = np.array([[[1.0, -2.0, -3.0]]])
    assert MaxPool(2, padding=((1, 0),))(x).tolist() == [[[1.0, -2.0]]]
    assert MeanPool(2, padding=((1, 0),))(x).tolist() == [[[0.5, -2.5]]]


def test_padding_is_never_the_maximum_and_counts_as_zeros_in_a_mean():
    x = np.full((1, 1, 2, 2), -4.0)
    assert MaxPool(2, padding=1)(x).tolist() == [[[[-4.0, -4.0], [-4.0, -4.0]]]]
    assert MeanPool(2, padding=1)(x).tolist() == [[[[-1.0, -1.0], [-1.0, -1.0]]]]


def test_elements_that_tie_for_a_maximum_share_its_gradient():
    x = np.array([[[[1.0, 1.0, 2.0, 0.0], [0.0, 1.0, 2.0, 2.0]]]])
    (g,) = optshare.gradient(lambda x: (MaxPool()(x) * 3.0).sum(), x)
    assert g.tolist() == [[[[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]]]


@pytest.mark.parametrize("pool", POOLS)
def test_single_precision_stays(pool):
    x = np.ones((1, 2, 4), np.float32)
    assert pool()(x).dtype == np.float32
    assert optshare.gradient(lambda x: pool()(x).sum(), x)[0].dtype == np.float32


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (0, {}, "window=0 must be a whole number, at least 1"),
        (2.0, {}, "window=2.0"),
        ("2", {}, "window='2'"),
        ((2, -1), {}, "window=(2, -1)"),
        (2, {"stride": 0}, "stride=0 must be"),
        ((2, 2), {"stride": (1, 1, 1)}, "stride=(1, 1, 1) must be a whole number"),
        (2, {"padding": -1}, "padding=-1 must be"),
        (2, {"padding": "same"}, "padding='same' must be"),
        (3, {"padding": 2}, "padding=2 is more than half of window=3"),
        (3, {"padding": ((0, 2),)}, "is more than half of window=3"),
    ],
)
def test_what_no_pool_can_have_is_refused_when_it_is_made(pool, given, options, said):
    with pytest.raises(DataError) as caught:
        pool(given, **options)
    assert str(caught.value).startswith(f"{pool.__name__}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    ("window", "x", "said"),
    [
        (2, np.ones((2, 3)), "needs an array (batch, channels, *space) with 1 to 3 spatial axes"),
        (2, np.ones((2, 3)), "not one of shape (2, 3)"),
        ((2, 2), np.ones((2, 3, 4)), "needs an array (batch, channels, height, width), not"),
        (2, np.ones((2, 3, 4, 0)), "none of whose spatial axes is empty"),
        (2, np.ones((2, 3, 4), int), "needs an array of floating numbers, not an array of int64"),
        (2, [[[1.0]]], "needs an array of floating numbers, not a list"),
        (5, np.ones((2, 3, 4)), "a window of size (5,) with dilation=1 does not fit into x, whose"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_the_layer(pool, window, x, said):
    with pytest.raises(DataError) as caught:
        pool(window)(x)
    assert str(caught.value).startswith(f"{pool(window)!r}")
    assert said in str(caught.value)


def test_in_a_chain_the_error_has_the_path_of_the_layer():
    model = Chain(MaxPool(), MaxPool(3))
    with pytest.raises(DataError, match=r"^layers\.1: MaxPool\(3\): max_pool: a window of size"):
        model(np.ones((1, 1, 4)))


def test_repr_and_equality():
    assert repr(MaxPool()) == "MaxPool(2)"
    assert repr(MeanPool((3, 2), stride=1, padding=1)) == "MeanPool((3, 2), stride=1, padding=1)"
    assert MaxPool() == MaxPool(2)
    assert MaxPool() != MeanPool()
    assert MaxPool() != MaxPool(stride=1)


@pytest.mark.parametrize("pool", POOLS)
def test_the_derivatives_of_both_orders_are_right(pool):
    optshare.gradcheck(lambda x: pool(3, stride=2, padding=1)(x) ** 2, drawn(2, 2, 5, 4))
