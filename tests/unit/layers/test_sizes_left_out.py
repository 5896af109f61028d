"""Sizes that the first input tells: Parameters exist before their values."""

import copy
import pickle

import numpy as np
import pytest

import optshare
from optshare import Adam, Buffer, Chain, Dense, Parameter, buffers, nll, params, relu, to
from optshare.errors import DataError, ParameterError, UnbuiltError
from optshare.recipes import Recipe

X = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0])


def unbuilt():
    return Chain(Dense(5, relu), Chain(Dense(3)))


def shapes(model):
    return [p.shape for p in params(model)]


LEFT_OUT = [(None, 5), (5,), (None, 3), (3,)]
BUILT = [(7, 5), (5,), (5, 3), (3,)]


@pytest.mark.usefixtures("backend")
class TestOnBothEngines:
    def test_the_first_step_of_an_optimizer_gives_the_parameters_their_values(self):
        model = unbuilt()
        keys = params(model)
        opt = Adam(model, lr=0.01)
        assert shapes(model) == LEFT_OUT
        first = opt.step(lambda x, y: nll(model(x), y), X, LABELS)
        assert shapes(model) == BUILT
        assert all(a is b for a, b in zip(keys, params(model), strict=True))
        losses = [opt.step(lambda x, y: nll(model(x), y), X, LABELS) for _ in range(5)]
        assert losses[-1] < first
        assert opt.state_for(keys[0]).t == 6

    def test_a_gradient_gives_them_their_values(self):
        model = unbuilt()
        g = optshare.gradient(lambda: nll(model(X), LABELS), wrt=model)
        assert [each.shape for each in g] == BUILT

    def test_one_that_the_function_does_not_reach_has_no_gradient_and_no_value(self):
        used, unused = Dense(2), Dense(3)
        opt = Adam([used, unused])
        opt.step(lambda: used(X).sum())
        assert (used.weight.built, unused.weight.built) == (True, False)
        assert opt.state_for(unused.weight).t == 0
        assert optshare.gradient(lambda: used(X).sum(), wrt=[used, unused])[unused.weight] is None


def test_one_seed_gives_one_model_however_it_is_built():
    def seeded(make):
        optshare.seed(7)
        return make()

    explicit = seeded(lambda: Chain(Dense(7, 5, relu), Chain(Dense(5, 3))))
    called, stepped, given = (seeded(unbuilt) for _ in range(3))
    called(X)
    optshare.gradient(lambda: nll(stepped(X), LABELS), wrt=stepped)
    optshare.build(given, (1, 7))
    for other in (called, stepped, given):
        for p, q in zip(params(explicit), params(other), strict=True):
            np.testing.assert_array_equal(p.value, q.value)


def test_reading_a_parameter_without_a_value_says_what_to_call():
    p = params(unbuilt())[0]
    assert not p.built
    with pytest.raises(UnbuiltError, match=r"shape \(None, 5\) has no value yet.*build\(model, "):
        _ = p.value
    with pytest.raises(UnbuiltError):
        _ = p.size


def test_a_value_may_be_assigned_if_it_has_the_sizes_that_are_known():
    layer = Dense(5)
    with pytest.raises(ParameterError, match=r"\(None, 5\), the new value has \(7, 4\)"):
        layer.weight.value = np.ones((7, 4))
    assert not layer.weight.built
    layer.weight.value = np.ones((7, 5))
    assert layer.weight.dtype == np.float32
    assert layer(X).shape == (4, 5)


@pytest.mark.parametrize("call", ["chain", "step", "gradient"])
def test_after_an_error_no_layer_has_a_value(call):
    model = Chain(Dense(5, relu), Dense(6, 3))
    calls = {
        "chain": lambda: model(X),
        "step": lambda: Adam(model).step(lambda: model(X).sum()),
        "gradient": lambda: optshare.gradient(lambda: model(X).sum(), wrt=model),
    }
    with pytest.raises(DataError, match=r"layers.1: Dense\(6, 3\) needs .* 6 .*\(4, 5\)"):
        calls[call]()
    assert shapes(model) == [(None, 5), (5,), (6, 3), (3,)]


def test_an_error_after_the_model_leaves_it_without_values_too():
    model = unbuilt()
    with pytest.raises(ZeroDivisionError):
        Adam(model).step(lambda: model(X).sum() / (1 // 0))
    assert shapes(model) == LEFT_OUT


def test_the_call_that_builds_changes_no_buffer():
    class Counts:
        def __init__(self):
            self.calls = Buffer(0)
            self.inner = Dense(2)

        def __call__(self, x):
            self.calls.value = self.calls.value + 1
            return self.inner(x)

    model = Counts()
    Adam(model).step(lambda: model(X).sum())
    assert model.calls.value == 1


def test_a_buffer_may_be_without_a_value_too():
    def ones(shape, dtype, rng):
        return np.ones(shape, dtype)

    buffer = Buffer(Recipe(ones, (None,), np.float32))
    buffer.build((3,))
    assert buffer.value.tolist() == [1.0, 1.0, 1.0]


def test_what_records_builds_as_it_goes():
    import optshare_tape

    model = unbuilt()
    with optshare.record():
        loss = nll(model(X), LABELS)
    optshare_tape.back(loss)
    assert [p.grad.shape for p in params(model)] == BUILT


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_without_values_is_built_like_the_original_and_apart_from_it(copied):
    model = unbuilt()
    twin = copied(model)
    model(X)
    assert shapes(twin) == LEFT_OUT
    twin(X)
    for p, q in zip(params(model), params(twin), strict=True):
        assert p is not q
        np.testing.assert_array_equal(p.value, q.value)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_model_is_moved_before_it_has_values(name):
    model = to(unbuilt(), name, dtype="float64")
    assert {str(p.dtype).removeprefix("torch.") for p in params(model)} == {"float64"}
    ops = optshare.namespace_of(to(Parameter([1.0]), name).value)
    opt = Adam(model)
    opt.step(lambda x: model(x).sum(), ops.asarray(X.astype(np.float64)))
    assert shapes(model) == BUILT
    assert {type(p.stored) for p in params(model)} == {type(ops.asarray(np.ones(1)))}


def test_a_model_moved_to_another_precision_draws_the_same_numbers():
    optshare.seed(1)
    single = Dense(3)
    single(X)
    optshare.seed(1)
    double = to(Dense(3), "tape", dtype="float64")
    double(X.astype(np.float64))
    assert double.weight.dtype == np.float64
    np.testing.assert_array_equal(double.weight.value.astype(np.float32), single.weight.value)


def test_gradcheck_builds_what_it_checks():
    model = unbuilt()
    optshare.gradcheck(lambda x: optshare.softmax(model(x)), X, order=1)
    assert shapes(model) == BUILT


def test_a_transform_of_the_functional_engine_builds_the_model():
    from optshare_functional import grad

    model = unbuilt()
    g = grad(lambda m, x: m(x).sum())(model, X)
    assert [each.shape for each in g] == BUILT


def test_a_tie_takes_its_sizes_when_the_other_layer_has_them():
    encoder = Dense(3)
    decoder = Dense(tie=encoder)
    model = Chain(encoder, decoder)
    assert model(X).shape == (4, 7)
    assert [p.shape for p in params(model)] == [(7, 3), (3,), (7,)]
    assert buffers(model) == []
