import numpy as np
import pytest
import torch

import optshare
from optshare import GlobalMaxPool, GlobalMeanPool
from optshare.errors import DataError
from tests.unit.layers.agreement import assert_agrees, drawn

pytestmark = pytest.mark.usefixtures("backend")

POOLS = {GlobalMaxPool: "adaptive_max_pool{}d", GlobalMeanPool: "adaptive_avg_pool{}d"}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("shape", [(2, 3, 7), (1, 3, 4, 5), (2, 2, 3, 4, 2), (2, 3, 1, 1)])
def test_values_and_gradients_are_torchs(pool, shape, backend):
    function = getattr(torch.nn.functional, POOLS[pool].format(len(shape) - 2))
    assert_agrees(pool(), lambda x: function(x, 1), drawn(*shape), backend)


@pytest.mark.parametrize("pool", POOLS)
def test_a_batch_may_be_empty(pool):
    assert pool()(np.ones((0, 3, 4, 5))).shape == (0, 3, 1, 1)


def test_elements_that_tie_for_the_maximum_share_its_gradient():
    x = np.array([[[[1.0, 2.0], [2.0, 2.0]]]])
    (g,) = optshare.gradient(lambda x: (GlobalMaxPool()(x) * 6.0).sum(), x)
    assert g.tolist() == [[[[0.0, 2.0], [2.0, 2.0]]]]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("wrong", [np.ones((2, 3)), np.ones((2, 3, 0)), np.ones((2, 3, 4), int)])
def test_an_input_that_does_not_fit_is_refused_with_the_layer(pool, wrong):
    with pytest.raises(DataError, match=rf"^{pool.__name__}\(\) needs an array"):
        pool()(wrong)


@pytest.mark.parametrize("pool", POOLS)
def test_single_precision_stays_and_repr(pool):
    assert pool()(np.ones((1, 2, 4), np.float32)).dtype == np.float32
    assert repr(pool()) == f"{pool.__name__}()"
    assert pool() == pool()


@pytest.mark.parametrize("pool", POOLS)
def test_the_derivatives_of_both_orders_are_right(pool):
    optshare.gradcheck(lambda x: pool()(x) ** 2, drawn(2, 2, 3, 2))
