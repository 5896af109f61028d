import operator

import numpy as np
import pytest

import optshare
from optshare import Chain, Dense, Maxout, Parallel, SkipConnection, buffers, ops, params
from optshare.errors import DataError
from tests.unit.closeness import assert_close
from tests.unit.layers.as_torch import drawn

pytestmark = pytest.mark.usefixtures("backend")
DOUBLE = {"dtype": np.float64}


def joined(*ys):
    return ops.concat(ys, axis=-1)


def test_a_skip_connection_adds_its_input():
    layer = Dense(3, 3, **DOUBLE)
    x = drawn(5, 3)
    skip = SkipConnection(layer)
    assert_close(skip(x), layer(x) + x)
    g = optshare.gradient(lambda x: skip(x).sum(), x, wrt=(0, skip))
    assert_close(g[0], np.ones((5, 3)) @ layer.weight.value.T + 1)
    assert_close(g[layer.weight], x.T @ np.ones((5, 3)))


def test_a_connection_takes_the_output_first():
    skip = SkipConnection(lambda x: 2 * x, lambda y, x: y - 10 * x)
    assert skip(np.ones(2)).tolist() == [-8.0, -8.0]


def test_parallel_gives_one_input_to_all_or_one_to_each():
    each = Parallel(joined, np.negative, lambda x: 2 * x)
    one, two = np.array([1.0]), np.array([3.0])
    assert each(one).tolist() == [-1.0, 2.0]
    assert each(one, two).tolist() == [-1.0, 6.0]
    assert each((one, two)).tolist() == each([one, two]).tolist() == [-1.0, 6.0]


def test_a_tuple_passes_through_a_chain_into_parallel():
    apart = Parallel(lambda *ys: ys, Dense(2), Dense(3))
    model = Chain(apart, Parallel(joined, Dense(4), Dense(5)))
    assert model((np.ones((6, 7), np.float32), np.ones((6, 8), np.float32))).shape == (6, 9)
    assert [p.shape for p in params(model)[::2]] == [(7, 2), (8, 3), (2, 4), (3, 5)]


def test_gradients_go_through_all_branches():
    branches = Dense(3, 2, **DOUBLE), Dense(3, 2, **DOUBLE)
    model, x = Parallel(operator.mul, *branches), drawn(4, 3)
    left, right = (each(x) for each in branches)
    g = optshare.gradient(lambda x: model(x).sum(), x, wrt=(0, model))
    assert_close(g[branches[0].weight], x.T @ right)
    assert_close(g[branches[1].weight], x.T @ left)
    assert_close(g[0], right @ branches[0].weight.value.T + left @ branches[1].weight.value.T)


@pytest.mark.parametrize("connection", [operator.add, np.add])
def test_a_binary_operator_is_applied_to_more_than_two(connection):
    layers = [lambda x: x, lambda x: 2 * x, lambda x: 4 * x]
    x = np.ones(2)
    model = Parallel(connection, *layers)
    assert model(x).tolist() == [7.0, 7.0]
    assert optshare.gradient(lambda x: model(x).sum(), x)[0].tolist() == [7.0, 7.0]
    assert x.tolist() == [1.0, 1.0]  # which is the first layer's output


def test_another_connection_is_given_all_outputs():
    assert Parallel(lambda a, b, c: (c, a), *[lambda x: x] * 3)(5) == (5, 5)
    assert Parallel(lambda *ys: len(ys), *[lambda x: x] * 4)(0) == 4


def test_branches_may_have_names():
    left, right = Dense(3, 2), Dense(3, 2)
    model = Parallel(operator.add, left=left, right=right)
    assert model.layers["left"] is left
    assert repr(model) == "Parallel(add, left=Dense(3, 2), right=Dense(3, 2))"
    with pytest.raises(DataError, match=r"layers\.left: Dense\(3, 2\) needs"):
        model(np.ones((1, 4)))


def test_parallel_refuses_another_number_of_inputs():
    with pytest.raises(DataError, match="has 3 layers, and was given 2 inputs; give one for all"):
        Parallel(joined, *[np.negative] * 3)(np.ones(1), np.ones(1))
    with pytest.raises(DataError, match="was given 0 inputs"):
        Parallel(joined, np.negative)()


def test_maxout_is_the_largest_output():
    first, second = Dense(3, 2, **DOUBLE), Dense(3, 2, **DOUBLE)
    model, x = Maxout(first, second), drawn(6, 3)
    assert_close(model(x), np.maximum(first(x), second(x)))
    g = optshare.gradient(lambda x: model(x).sum(), x, wrt=(0, model))
    wins = (first(x) > second(x)).astype(float)
    assert 0 < wins.sum() < wins.size
    assert_close(g[first.weight], x.T @ wins)
    assert_close(g[second.weight], x.T @ (1 - wins))


def test_layers_that_tie_share_the_gradient_evenly():
    model = Maxout(*[lambda x, k=k: x + k for k in (0.0, 0.0, 0.0, -1.0)])
    third = [1.0, 1.0, 1.0]
    assert optshare.gradient(lambda x: model(x).sum(), np.zeros(3))[0].tolist() == third
    weights = [optshare.Parameter(1.0) for _ in range(3)]
    tied = Maxout(*[lambda x, w=w: x * w.value for w in weights])
    g = optshare.gradient(lambda: tied(np.ones(3)).sum(), wrt=weights)
    assert_close([g[w] for w in weights], [1.0, 1.0, 1.0])


def test_maxout_makes_its_layers_of_a_function():
    model = Maxout(lambda: Dense(3, 2), 4)
    assert len(params(model)) == 8
    assert repr(model) == "Maxout(Dense(3, 2), Dense(3, 2), Dense(3, 2), Dense(3, 2))"
    assert len({id(each) for each in model}) == 4


def test_maxout_refuses_outputs_of_several_shapes():
    with pytest.raises(
        DataError, match=r"outputs of one shape; its layers gave \[\(2,\), \(1,\)\]"
    ):
        Maxout(np.negative, lambda x: x[:1])(np.ones(2))


@pytest.mark.parametrize(
    "model",
    [
        lambda: Parallel(joined, Dense(2), Dense(3, 2)),
        lambda: Maxout(Dense(2), Dense(3, 2)),
        lambda: SkipConnection(Chain(Dense(2), Dense(3, 2))),
        lambda: Chain(Maxout(optshare.BatchNorm(), optshare.relu), Dense(3, 2)),
    ],
)
def test_sizes_are_taken_by_all_layers_or_none(model):
    model = model()
    before = [box.built for box in (*params(model), *buffers(model))]
    assert not all(before)
    with pytest.raises(DataError, match="layers"):
        model(np.ones((4, 5), np.float32))
    assert [box.built for box in (*params(model), *buffers(model))] == before


@pytest.mark.parametrize(
    "model",
    [
        lambda: Parallel(joined, Dense(2), Dense(3)),
        lambda: Maxout(lambda: Dense(2), 2),
        lambda: SkipConnection(Dense(5)),
    ],
)
def test_sizes_come_with_the_first_step(model):
    model = model()
    opt = optshare.SGD(model, lr=0.1)
    opt.step(lambda x: ops.mean(model(x) ** 2), np.ones((4, 5), np.float32))
    assert all(p.built and p.shape[0] in (5, p.shape[-1]) for p in params(model))
    with optshare.use("tape"), optshare.record():
        assert model(np.ones((4, 5), np.float32)).dtype == np.float32


def test_errors_name_the_path_through_all_containers():
    model = Chain(Dense(2, 3), SkipConnection(Parallel(joined, a=Dense(3, 4), b=Dense(5, 4))))
    with pytest.raises(DataError, match=r"^layers\.1\.layers\.layers\.b: Dense\(5, 4\) needs"):
        model(np.ones((1, 2)))


@pytest.mark.parametrize(
    ("make", "essence"),
    [
        (lambda: SkipConnection("relu"), "SkipConnection: layer layers is a str"),
        (lambda: SkipConnection(abs, None), "SkipConnection: layer connection is a NoneType"),
        (lambda: Parallel(abs, "relu"), "Parallel: layer 0 is a str, which cannot be called"),
        (lambda: Parallel("add", abs), "layer connection is a str"),
        (lambda: Parallel(abs), "needs at least one layer"),
        (lambda: Parallel(abs, abs, a=abs), "give all layers a name, or none"),
        (lambda: Maxout(), "needs at least one layer"),
        (lambda: Maxout(abs, "relu"), "Maxout: layer 1 is a str"),
    ],
)
def test_what_cannot_be_called_is_refused(make, essence):
    with pytest.raises(TypeError, match=essence):
        make()


def test_a_number_of_layers_that_is_none_is_refused():
    with pytest.raises(DataError, match="Maxout: count must be a whole number, at least 1, not 0"):
        Maxout(lambda: Dense(2), 0)


def test_they_are_shown_and_compared_by_what_they_hold():
    assert repr(SkipConnection(Dense(3))) == "SkipConnection(Dense(3))"
    assert repr(SkipConnection(Dense(3), np.maximum)) == "SkipConnection(Dense(3), maximum)"
    assert repr(Parallel(joined, Dense(3), optshare.tanh)) == "Parallel(joined, Dense(3), tanh)"
    assert SkipConnection(Dense(3)) == SkipConnection(Dense(3), operator.add)
    assert SkipConnection(Dense(3)) != SkipConnection(Dense(4))
    assert Parallel(joined, Dense(3)) != Parallel(operator.add, Dense(3))
    assert Parallel(joined, a=Dense(3)) != Parallel(joined, b=Dense(3))
    assert Maxout(lambda: Dense(3), 2) == Maxout(Dense(3), Dense(3))
