"""What was asked for, as written, modulo Python's syntax; each test is named for its author."""

from functools import reduce

import numpy as np
import pytest

import optshare
from optshare import Parameter, minibatch, nll, params
from optshare_functional import grad
from optshare_tape import Variable, back, differentiate, gradient, no_grad, value


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# -- MikeInnes ---------------------------------------------------------------------------------


class Affine:
    """A layer without any base class."""

    def __init__(self, n_in, n_out, rng):
        self.W = Variable(rng.normal(size=(n_in, n_out)))
        self.b = Variable(rng.normal(size=(1, n_out)))

    def __call__(self, x):
        return x @ self.W + self.b


class Chain:
    def __init__(self, *layers):
        self.layers = layers

    def __call__(self, x):
        return reduce(lambda x, c: c(x), self.layers, x)


def test_mikeinnes_tracked_variables():
    x = Variable([1, 2, 3])
    y = sum(2 * x)
    back(y, 1)
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert value(y) == 12.0


def test_mikeinnes_layers_are_functions_with_parameters(rng):
    a, x = Affine(3, 2, rng), rng.normal(size=(5, 3))
    y = a(x)
    np.testing.assert_array_equal(value(y), x @ value(a.W) + value(a.b))
    back(y.sum())
    np.testing.assert_allclose(a.W.grad, x.T @ np.ones((5, 2)), rtol=1e-14)
    assert a.b.grad.tolist() == [[5.0, 5.0]]


def test_mikeinnes_a_chain_without_a_base_class_is_trained(rng):
    model = Chain(Affine(10, 20, rng), np.tanh, Affine(20, 5, rng))
    assert [p.shape for p in params(model)] == [(10, 20), (1, 20), (20, 5), (1, 5)]
    x, y = rng.normal(size=(8, 10)), rng.normal(size=(8, 5))
    opt, losses = optshare.Adam(model, lr=0.01), []
    for _ in range(20):
        loss = optshare.mse(model(x), y)
        back(loss)
        opt.step()
        opt.zero_grad()
        losses.append(value(loss))
    assert losses[-1] < 0.8 * losses[0]


def test_mikeinnes_training_pulls_out_the_parameters_by_a_common_interface(rng):
    model = Chain(Affine(2, 2, rng), Affine(2, 1, rng))
    x, before = rng.normal(size=(4, 2)), [value(p).copy() for p in params(model)]
    back(model(x).sum(), 1)
    gradients = [p.grad for p in params(model)]
    opt = optshare.SGD(model, lr=0.5)
    for p in params(model):
        opt.update(p, p.grad)
    for p, old, g in zip(params(model), before, gradients, strict=True):
        np.testing.assert_array_equal(value(p), old - 0.5 * g)


def test_mikeinnes_gradient_of_a_function():
    for of in (optshare.gradient, gradient):
        x, y = of(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
        assert x.tolist() == [4.0, 5.0, 6.0]
        assert y.tolist() == [1.0, 2.0, 3.0]


def test_mikeinnes_grad_is_a_few_lines_on_top_of_variables():
    def grad(f):
        def of(x):
            x = Variable(x)
            back(f(x))
            return x.grad

        return of

    assert grad(lambda x: (x * x).sum())([1.0, 2.0]).tolist() == [2.0, 4.0]


def test_mikeinnes_plain_functions_mix_with_layers(rng):
    layer, w = Affine(3, 3, rng), rng.normal(size=(3, 1))

    def predict(w, x):
        return np.tanh(layer(x)) @ w

    x = rng.normal(size=(4, 3))
    _, g = optshare.value_and_gradient(lambda w, x: predict(w, x).sum(), w, x, wrt=(0, layer))
    hidden = np.tanh(x @ value(layer.W) + value(layer.b))
    np.testing.assert_allclose(g[0], hidden.T @ np.ones((4, 1)), rtol=1e-14)
    np.testing.assert_allclose(g[layer.b], ((1 - hidden**2) * w.T).sum(0)[None], rtol=1e-13)


# -- denizyuret --------------------------------------------------------------------------------


class Linear(optshare.Model):
    """A subclass whose calls with 0, 1 and 2 arguments mean what Knet's mean."""

    def __init__(self, n_in, n_out, rng):
        self.w = Parameter(rng.normal(size=(n_in, n_out)))
        self.b = Parameter(np.zeros(n_out))

    def predict(self, x):
        return x.reshape((len(x), -1)) @ self.w + self.b

    def loss(self, x, y):
        return nll(self(x), y)


@pytest.fixture
def data(rng):
    y = rng.integers(0, 3, 60)
    return rng.normal(size=(60, 2, 2)) + y[:, None, None], y


def test_denizyuret_a_parameter_acts_like_a_regular_value_outside_of_differentiation(rng):
    array = rng.random((3, 3))
    x = Parameter(array)
    assert np.array_equal(sum(x), sum(array))
    y = differentiate(lambda x: x.value.sum(), x)
    assert value(y) == array.sum()
    assert float(y) == array.sum()
    assert repr(float(array.sum())) in repr(y)
    assert gradient(y, x).tolist() == np.ones((3, 3)).tolist()


def test_denizyuret_differentiate_takes_the_parameter_itself():
    x = Parameter([1.0, 2.0])
    y = differentiate(sum, x)
    assert value(y) == 3.0
    assert gradient(y, x).tolist() == [1.0, 1.0]


def test_denizyuret_grad_of_a_function_and_grad_of_grad():
    def f(x):
        return (x**3).sum()

    x = np.array([1.0, 2.0])
    assert grad(f)(x).tolist() == [3.0, 12.0]
    assert grad(lambda x: grad(f)(x).sum())(x).tolist() == [6.0, 12.0]
    assert grad(grad(lambda x: x**3))(2.0) == 12.0
    assert grad(grad(grad(lambda x: x**3)))(2.0) == 6.0


def test_denizyuret_a_model_is_called_with_nothing_an_input_or_an_input_and_a_target(rng, data):
    f, (x, y) = Linear(4, 3, rng), data
    assert [p is q for p, q in zip(f(), (f.w, f.b), strict=True)] == [True, True]
    assert type(f(x)) is np.ndarray
    assert f(x).shape == (60, 3)
    assert f(x, y) == nll(f(x), y)


def test_denizyuret_a_model_is_trained_by_differentiate_and_gradient(rng, data):
    f, (x, y) = Linear(4, 3, rng), data
    opt, first = optshare.SGD(f, lr=0.1), f(x, y)
    for _ in range(5):
        for xb, yb in minibatch(x, y, 20):
            J = differentiate(f, xb, yb)  # noqa: N806 # the name in the sketch
            for w in f():
                opt.update(w, gradient(J, w))
    assert f(x, y) < 0.8 * first
    assert [opt.state_for(w).t for w in f()] == [15, 15]


def test_denizyuret_a_held_result_keeps_its_numbers_after_the_updates(rng, data):
    f, (x, y) = Linear(4, 3, rng), data
    J = differentiate(f, x, y)  # noqa: N806 # the name in the sketch
    loss, shown = value(J), repr(J)
    gradients = [gradient(J, w).copy() for w in f()]
    before = f.w.value.copy()
    opt = optshare.Adam(f, lr=0.1)
    for w in f():
        opt.update(w, gradient(J, w))
    assert np.all(f.w.value != before)
    assert (value(J), repr(J)) == (loss, shown)
    assert repr(loss) in shown
    for w, g in zip(f(), gradients, strict=True):
        np.testing.assert_array_equal(gradient(J, w), g)


def test_denizyuret_test_mode_has_no_tape_and_shows_the_real_loss(rng, data):
    f, (x, y) = Linear(4, 3, rng), data
    loss = f(x, y)
    assert isinstance(loss, np.float64)
    assert loss == value(differentiate(f, x, y))
    variables = Affine(4, 3, rng)
    with no_grad():
        assert type(variables(x.reshape((60, 4)))) is np.ndarray


def test_denizyuret_the_gradients_are_parallel_to_the_parameters(backend, rng, data):
    f, (x, y) = Linear(4, 3, rng), data
    gradients = optshare.gradient(f, x, y, wrt=f)
    assert [g.shape for g in gradients] == [p.shape for p in params(f)]


def test_denizyuret_one_call_updates_a_composite_model_and_keeps_its_state_apart(
    backend, rng, data
):
    f, (x, y) = Linear(4, 3, rng), data
    opt = optshare.Adam(f, lr=0.1)
    first = opt.step(f, x, y)
    for _ in range(10):
        last = opt.step(f, x, y)
    assert last < first
    assert opt.state_for(f.w).lr == 0.1
    assert opt.state_for(f.w).exp_avg.shape == (4, 3)


def test_denizyuret_parameters_optimizer_and_data_are_initialised_in_a_line_each():
    optshare.seed(1)
    one = optshare.Dense(4, 3)
    optshare.seed(1)
    other = optshare.Dense(4, 3)
    assert one.weight.value.tolist() == other.weight.value.tolist()
    assert optshare.Adam(one).state_for(one.bias).arrays == {}
    assert [len(x) for x, _ in minibatch(np.arange(5), np.arange(5), 2)] == [2, 2, 1]


# -- jbrea -------------------------------------------------------------------------------------


class JbreaDense:
    """Layers that are called with their weights: `l(w, x)`, or with their own: `l(x)`."""

    def __init__(self, n_in, n_out, unit, rng):
        self.w = rng.normal(size=(n_in, n_out)) / np.sqrt(n_in)
        self.b = np.zeros(n_out)
        self.unit = unit

    def params(self):
        return [self.w, self.b]

    def __call__(self, *args):
        w, x = args if len(args) == 2 else (self.params(), args[0])
        return self.unit(x @ w[0] + w[1])


class JbreaPooling:
    def params(self):
        return []

    def __call__(self, *args):
        x = args[-1]
        return (x[:, ::2] + x[:, 1::2]) / 2


class JbreaChain:
    def __init__(self, *layers):
        self.layers = list(layers)

    def params(self):
        return [layer.params() for layer in self.layers]

    def __call__(self, w, x):
        return reduce(lambda x, c: c[1](c[0], x), zip(w, self.layers, strict=True), x)


def test_jbrea_plain_arrays_in_nested_lists_are_trained_in_place(rng, data):
    x, y = data[0].reshape((60, 4)), data[1]
    chain = JbreaChain(
        JbreaDense(4, 8, np.tanh, rng), JbreaPooling(), JbreaDense(4, 3, lambda x: x, rng)
    )
    w = chain.params()

    def loss(w, c, x, y):
        return nll(c(w, x), y)

    gradfun, opt = grad(loss), optshare.Adam(w, lr=0.05)
    first = loss(w, chain, x, y)
    for _ in range(5):
        for xb, yb in minibatch(x, y, 20):
            opt.update(gradfun(w, chain, xb, yb))
    assert loss(w, chain, x, y) < 0.8 * first
    assert chain.layers[0].w is w[0][0]
    assert list(opt.state_dict()["parameters"]) == ["0.0", "0.1", "2.0", "2.1"]
    assert optshare.accuracy(chain(w, x), y) > 0.5


def test_jbrea_the_layer_called_with_its_own_weights_and_with_given_ones_agrees(rng):
    dense, x = JbreaDense(4, 2, np.tanh, rng), rng.normal(size=(3, 4))
    assert dense(x).tolist() == dense(dense.params(), x).tolist()


def test_jbrea_knets_way_with_plain_arrays(rng):
    w = [rng.normal(size=(4, 1)), np.zeros(1)]
    arrays, x = list(w), rng.normal(size=(20, 4))
    y = x.sum(1, keepdims=True)

    def loss(w, x, y):
        return ((x @ w[0] + w[1] - y) ** 2).mean()

    opt = optshare.Adam(w, lr=0.1)
    first = loss(w, x, y)
    for _ in range(50):
        opt.update(grad(loss)(w, x, y))
    assert loss(w, x, y) < 0.01 * first
    assert [a is b for a, b in zip(w, arrays, strict=True)] == [True, True]


# -- CarloLucibello ----------------------------------------------------------------------------


def test_carlolucibello_a_recorded_parameter_has_its_gradient_after_backprop(rng):
    x = Variable(rng.random(10))
    y = sum(x)
    back(y)
    assert x.grad.tolist() == [1.0] * 10


def test_carlolucibello_methods_need_not_be_written_twice(rng):
    dense = optshare.Dense(4, 2, optshare.relu, dtype=np.float64)
    x = rng.normal(size=(3, 4))
    g = optshare.gradient(lambda x: dense(x).sum(), x, wrt=dense)
    assert g[dense.weight].shape == (4, 2)


# -- Evizero -----------------------------------------------------------------------------------


def test_evizero_the_low_level_interface_is_there_on_its_own(rng):
    def predict(w, x):
        return np.tanh(x @ w[0] + w[1]) @ w[2]

    def loss(w, x, y):
        return np.sum((predict(w, x) - y) ** 2)

    w = [rng.normal(size=(3, 4)), np.zeros(4), rng.normal(size=(4, 1))]
    x, y = rng.normal(size=(10, 3)), rng.normal(size=(10, 1))
    first = loss(w, x, y)
    for _ in range(20):
        for p, g in zip(w, grad(loss)(w, x, y), strict=True):
            p -= 0.01 * g
    assert loss(w, x, y) < 0.8 * first


# -- ngphuoc -----------------------------------------------------------------------------------


class WithWeights:
    def __call__(self, w, x):
        return np.tanh(x * w[0] + w[1])


OUTER = np.array([0.5, -0.5])


@pytest.mark.parametrize(
    "f",
    [
        lambda w, x: np.tanh(x * w[0] + w[1]),
        WithWeights(),
        WithWeights().__call__,
        lambda w, x: np.tanh(x * w[0] + w[1]) * OUTER,
    ],
    ids=["function", "object", "method", "global weights"],
)
def test_ngphuoc_functions_objects_and_methods_pass_a_check_of_their_gradient(f):
    w, x, h = [np.array([0.3, 0.7]), np.array([0.1, -0.2])], np.array([1.0, 2.0]), 1e-6
    found = grad(lambda w, x: np.sum(f(w, x)))(w, x)
    for place, array in enumerate(w):
        for i in range(array.size):
            up, down = [each.copy() for each in w], [each.copy() for each in w]
            up[place][i] += h
            down[place][i] -= h
            numeric = (np.sum(f(up, x)) - np.sum(f(down, x))) / (2 * h)
            # central differences: h**2 of truncation, eps / h of rounding, both below 1e-9
            assert abs(found[place][i] - numeric) < 1e-9


# -- davidssmith -------------------------------------------------------------------------------


class Light:
    """A layer that carries no weights: it makes them, and is applied to them."""

    def __init__(self, size):
        self.size = size

    def weights(self, n_in, rng):
        return [rng.normal(size=(n_in, self.size)) / np.sqrt(n_in), np.zeros(self.size)]

    def operator(self):
        return lambda x, w, b: np.tanh(x @ w + b)


def test_davidssmith_light_layers_are_trained_through_one_flat_list_of_weights(rng):
    layers = [Light(8), Light(1)]

    def weights(n_in):
        found = []
        for layer in layers:
            found += layer.weights(n_in, rng)
            n_in = layer.size
        return found

    def predict(w, x):
        for i, layer in enumerate(layers):
            x = layer.operator()(x, *w[2 * i : 2 * i + 2])
        return x

    w, x = weights(3), rng.normal(size=(20, 3))
    y = np.sin(x.sum(1, keepdims=True))
    opt = optshare.Adam(w, lr=0.05)
    losses = [opt.step(lambda w, x, y: optshare.mse(predict(w, x), y), x, y) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


# -- ekinakyurek -------------------------------------------------------------------------------


def test_ekinakyurek_a_part_of_a_combined_model_is_deactivated(backend, rng):
    encoder = optshare.Dense(4, 3, optshare.tanh, dtype=np.float64)
    head = optshare.Dense(3, 1, dtype=np.float64)
    model = optshare.Chain(encoder, head)
    x, opt = rng.normal(size=(5, 4)), optshare.AdamW(model, lr=0.1, weight_decay=0.1)
    before = [p.value.copy() for p in params(model)]
    optshare.freeze(encoder)
    opt.step(lambda x: (model(x) ** 2).sum(), x)
    np.testing.assert_equal([p.value for p in params(encoder)], before[:2])
    assert np.all(head.weight.value != before[2])
    assert type(encoder(x)) is np.ndarray
    optshare.thaw(encoder)
    opt.step(lambda x: (model(x) ** 2).sum(), x)
    assert np.all(encoder.weight.value != before[0])
    assert [opt.state_for(p).t for p in params(model)] == [1, 1, 2, 2]


# -- mixed -------------------------------------------------------------------------------------


def test_explicit_weights_and_a_model_inside_share_one_call_and_one_optimizer(backend, rng):
    w = [rng.normal(size=(4, 3)), np.zeros(3)]
    model = optshare.Chain(optshare.tanh, optshare.Dense(3, 1, dtype=np.float64))
    x = rng.normal(size=(30, 4))
    y = np.sin(x.sum(1, keepdims=True))

    def fn(w, x, y):
        return optshare.mse(model(x @ w[0] + w[1]), y)

    opt, losses = optshare.Adam((w, model), lr=0.05), []
    for _ in range(30):
        loss, g = optshare.value_and_gradient(fn, w, x, y, wrt=(0, model))
        assert [each.shape for each in g[0]] == [(4, 3), (3,)]
        assert g[model[1].weight].shape == (3, 1)
        opt.update(g)
        losses.append(loss)
    assert losses[-1] < 0.5 * losses[0]
    assert {each["t"] for each in opt.state_dict()["parameters"].values()} == {30}
