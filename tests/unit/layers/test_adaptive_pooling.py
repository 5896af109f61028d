import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import AdaptiveMaxPool, AdaptiveMeanPool
from optshare.errors import DataError
from tests.unit.layers.agreement import assert_agrees, drawn

pytestmark = pytest.mark.usefixtures("backend")

POOLS = {AdaptiveMaxPool: "AdaptiveMaxPool{}d", AdaptiveMeanPool: "AdaptiveAvgPool{}d"}
CASES = [  # spatial sizes, size
    ((7,), 3),
    ((6,), 3),
    ((8, 6), (4, 3)),
    ((7, 5), (3, 5)),
    ((7, 5), (1, 2)),
    ((5, 4), (7, 2)),
    ((1, 3), 4),
    ((5, 4, 3), (2, 3, 2)),
    ((4, 4, 6), 2),
]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(("space", "size"), CASES)
@pytest.mark.parametrize("batch", [1, 2])
def test_values_and_gradients_are_torchs(pool, space, size, batch, backend):
    module = getattr(torch.nn, POOLS[pool].format(len(space)))(size)
    assert_agrees(pool(size), module, drawn(batch, 3, *space), backend)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), pool=st.sampled_from([*POOLS]))
def test_any_sizes_agree_with_torch(data, pool):
    axes = data.draw(st.integers(1, 3))
    space, size = (
        tuple(data.draw(st.lists(st.integers(1, 5), min_size=axes, max_size=axes)))
        for _ in range(2)
    )
    module = getattr(torch.nn, POOLS[pool].format(axes))(size)
    assert_agrees(pool(size), module, drawn(2, 2, *space))


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("size", [2, 3])
def test_a_batch_may_be_empty(pool, size):
    assert pool(size)(np.ones((0, 3, 4, 5))).shape == (0, 3, size, size)


@pytest.mark.parametrize(
    ("columns", "size", "wanted"),
    [(2, 1, [0.25, 0.25]), (3, 2, [0.25, 0.5, 0.25])],
    ids=["one_window", "windows_that_overlap"],
)
def test_all_elements_of_a_window_that_tie_share_its_gradient_evenly(columns, size, wanted):
    x = np.ones((1, 1, 2, columns))
    (g,) = optshare.gradient(lambda x: AdaptiveMaxPool((1, size))(x).sum(), x)
    assert g.tolist() == [[[wanted, wanted]]]


def test_three_that_tie_get_a_third_each():
    x = np.array([[[[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]]])
    (g,) = optshare.gradient(lambda x: (AdaptiveMaxPool((1, 2))(x)[..., :1] * 3.0).sum(), x)
    np.testing.assert_allclose(g, [[[[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]]], rtol=1e-15)


def test_a_window_without_an_infinity_is_not_touched_by_it():
    x = np.array([[[1.0, 2.0, 3.0, 4.0, np.inf]]])
    assert AdaptiveMeanPool(3)(x).tolist() == [[[1.5, 3.0, np.inf]]]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("wrong", [0, -1, 2.0, None, (2, 0), "2"])
def test_a_size_that_is_not_positive_is_refused_when_it_is_made(pool, wrong):
    with pytest.raises(DataError, match=f"^{pool.__name__}: size=.* must be a whole number"):
        pool(wrong)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    "wrong", [np.ones((2, 3, 4)), np.ones((2, 3, 4, 0)), np.ones((2, 3, 4, 4), int), [1.0]]
)
def test_an_input_that_does_not_fit_is_refused_with_the_layer(pool, wrong):
    with pytest.raises(DataError, match=rf"^{pool.__name__}\(\(2, 3\)\) needs an array"):
        pool((2, 3))(wrong)


@pytest.mark.parametrize("pool", POOLS)
def test_single_precision_stays_and_repr(pool):
    assert pool(2)(np.ones((1, 2, 5), np.float32)).dtype == np.float32
    assert repr(pool((2, 3))) == f"{pool.__name__}((2, 3))"
    assert pool(2) == pool(2)
    assert pool(2) != pool(3)


@pytest.mark.parametrize("pool", POOLS)
def test_the_derivatives_of_both_orders_are_right(pool):
    optshare.gradcheck(lambda x: pool((2, 3))(x) ** 2, drawn(2, 2, 3, 4))
