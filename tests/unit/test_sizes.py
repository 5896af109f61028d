import tracemalloc

import numpy as np
import pytest

import optshare
from optshare import Chain, Dense, Dropout, Flatten, Parameter, build, outputsize, params, weights
from optshare.errors import DataError, NoNumbersError, UnbuiltError


def network():
    return Chain(Flatten(), Dense(100, optshare.relu), Dropout(0.5), Chain(Dense(10)))


def test_the_shape_of_an_output_is_told_and_the_model_is_unchanged():
    model = network()
    assert outputsize(model, (32, 1, 28, 28)) == (32, 10)
    assert optshare.outdims(model, (1, 784)) == (1, 10)
    assert not any(p.built for p in params(model)[::2])


def test_it_is_that_of_the_call_on_numbers():
    model = Chain(lambda x: x[:, 1:, None] * 2.0, np.tanh, lambda x: x.sum(axis=-1), Dense(3))
    x = np.ones((5, 4), np.float32)
    assert outputsize(model, x.shape) == model(x).shape


def test_a_model_may_take_and_give_several_arrays():
    assert outputsize(lambda x, y: (x @ y, [x, y]), (2, 3), (3, 4)) == ((2, 4), ((2, 3), (3, 4)))


def test_nothing_is_computed_and_nothing_allocated():
    model = Chain(Dense(100_000), Dense(200_000), Dense(10))
    tracemalloc.start()
    try:
        assert outputsize(model, (1_000_000, 50_000)) == (1_000_000, 10)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_model_on_another_engine_is_not_asked_to_compute():
    model = optshare.to(Chain(Dense(4, 3), Dense(2)), "torch")
    assert outputsize(model, (5, 4)) == (5, 2)


def test_what_does_not_fit_is_named_by_its_path():
    with pytest.raises(
        DataError, match=r"^layers.1: Dense\(7, 3\) needs .* not one of shape \(2, 5\)"
    ):
        outputsize(Chain(Dense(5), Dense(7, 3)), (2, 4))


def test_a_function_that_asks_for_numbers_is_named_by_its_path():
    model = Chain(Dense(5), lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(NoNumbersError, match=r"^layers.1: .*call the model on real data"):
        outputsize(model, (2, 4))


def test_build_gives_every_parameter_its_value_and_gives_the_model():
    model = network()
    assert build(model, (1, 1, 28, 28)) is model
    assert [p.shape for p in params(model)] == [(784, 100), (100,), (100, 10), (10,)]
    values = [p.value.copy() for p in params(model)]
    build(model, (7, 1, 28, 28))
    for p, value in zip(params(model), values, strict=True):
        np.testing.assert_array_equal(p.value, value)


def test_a_build_that_fails_gives_no_parameter_a_value():
    model = Chain(Dense(5), Dense(7, 3))
    with pytest.raises(DataError):
        build(model, (2, 4))
    assert not model[0].weight.built


def test_build_refuses_a_model_whose_call_does_not_reach_a_layer():
    class Partly:
        def __init__(self):
            self.used, self.unused = Dense(2), Dense(3)

        def __call__(self, x):
            return self.used(x)

    model = Partly()
    with pytest.raises(UnbuiltError, match=r"does not reach the Parameter of shape \(None, 3\)"):
        build(model, (1, 4))
    assert not model.used.weight.built


def test_weights_are_drawn_beside_the_model():
    net = Chain(Dense(100), Dense(10))
    w = weights(net, (1, 784), rng=np.random.default_rng(0))
    assert [each.shape for each in w] == [(784, 100), (100,), (100, 10), (10,)]
    assert not net[0].weight.built
    optshare.seed(0)
    explicit = Chain(Dense(784, 100), Dense(100, 10))
    for each, p in zip(w, params(explicit), strict=True):
        np.testing.assert_array_equal(each, p.value)


def test_weights_are_new_also_where_the_model_has_values():
    net = Dense(3, 2)
    w = weights(net, (1, 3), rng=np.random.default_rng(5))
    assert not np.array_equal(w[0], net.weight.value)
    np.testing.assert_array_equal(w[0], weights(net, (1, 3), rng=np.random.default_rng(5))[0])


def test_the_value_of_a_parameter_that_no_layer_made_is_copied():
    p = Parameter([1.0, 2.0])
    (w,) = weights(lambda x: x * p, (2,))
    assert w.tolist() == [1.0, 2.0]
    assert w is not p.value
