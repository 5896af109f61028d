import copy

import numpy as np
import pytest

import optshare
from optshare import Gradients, Parameter
from optshare.errors import UnregisteredParameterError

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def model():
    return optshare.Chain(optshare.Dense(2, 2, dtype=np.float64), optshare.Dense(2, 1))


def test_iteration_is_parallel_to_params_with_none_where_there_is_no_path(model):
    x = np.array([[1.0, 2.0]])
    g = optshare.gradient(lambda: model[0](x).sum(), wrt=model)
    assert len(g) == 4
    assert [None if each is None else each.tolist() for each in g] == [
        [[1.0, 1.0], [2.0, 2.0]],
        [1.0, 1.0],
        None,
        None,
    ]


def test_a_parameter_finds_its_gradient_by_identity(model):
    g = optshare.gradient(lambda: model[0](np.ones((1, 2))).sum(), wrt=model)
    assert g[model[0].bias].tolist() == [1.0, 1.0]
    assert g[model[1].bias] is None


def test_a_part_of_the_model_finds_its_gradients(model):
    g = optshare.gradient(lambda: model(np.ones((1, 2))).sum(), wrt=model)
    part = g[model[1]]
    assert isinstance(part, Gradients)
    assert part[model[1].bias] is g[model[1].bias]
    assert len(part) == 2
    assert len(g[model]) == 4


def test_items_are_pairs_in_the_order_of_params(model):
    g = optshare.gradient(lambda: model(np.ones((1, 2))).sum(), wrt=model)
    items = g.items()
    assert [key is p for (key, _), p in zip(items, optshare.params(model), strict=True)] == [
        True
    ] * 4
    assert all(g[key] is value for key, value in items)


def test_a_zero_gradient_is_a_gradient():
    p = Parameter([1.0, 2.0])
    assert optshare.gradient(lambda: (0.0 * p.value).sum(), wrt=p)[p].tolist() == [0.0, 0.0]


def test_gradients_of_two_parameters_of_equal_values_are_apart():
    p, q = Parameter([1.0]), Parameter([1.0])
    g = optshare.gradient(lambda: (2.0 * p + 3.0 * q).sum(), wrt=[p, q])
    assert (g[p].tolist(), g[q].tolist()) == ([2.0], [3.0])


def test_an_argument_is_found_by_its_position():
    p, w = Parameter([2.0]), [np.array([3.0]), np.array([5.0])]
    g = optshare.gradient(lambda w: (w[0] * w[1] * p).sum(), w, wrt=(0, p))
    assert [each.tolist() for each in g[0]] == [[10.0], [6.0]]
    assert g[w[1]].tolist() == [6.0]


def test_a_position_that_was_not_differentiated_is_an_error():
    p = Parameter([2.0])
    g = optshare.gradient(lambda x: (x * p).sum(), np.ones(1), wrt=p)
    with pytest.raises(UnregisteredParameterError, match="argument 0 was not differentiated"):
        g[0]


@pytest.mark.parametrize("stranger", [Parameter([2.0]), [Parameter([2.0])], object(), "p"])
def test_a_key_that_was_not_differentiated_is_an_error(stranger):
    p = Parameter([2.0])
    g = optshare.gradient(lambda: (p * p).sum(), wrt=p)
    with pytest.raises(UnregisteredParameterError, match="not among the 1"):
        g[stranger]


def test_a_gradient_shares_memory_with_nothing():
    p, q = Parameter([1.0, 2.0]), Parameter([3.0, 4.0])
    g = optshare.gradient(lambda: (p + q).sum() + (p * q).sum(), wrt=[p, q])
    arrays = [g[p], g[q], p.value, q.value]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[i + 1 :])


def test_gradients_have_the_dtype_of_their_parameters():
    p, q = Parameter([1.0], np.float32), Parameter([1.0], np.float16)
    g = optshare.gradient(lambda: (p * np.ones(1) * q).sum(), wrt=[p, q])
    assert (g[p].dtype, g[q].dtype) == (np.float32, np.float16)


def test_a_copy_of_model_and_gradients_together_keeps_the_pairing(model):
    g = optshare.gradient(lambda: model(np.ones((1, 2))).sum(), wrt=model)
    twin, copied = copy.deepcopy((model, g))
    assert copied[twin[1].bias].tolist() == g[model[1].bias].tolist()


def test_repr_shows_the_arrays():
    p = Parameter([2.0])
    g = optshare.gradient(lambda: (p * p).sum(), wrt=p)
    assert repr(g) == "Gradients([array([4.])])"
