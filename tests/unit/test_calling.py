"""The functional style: functional_call, operator, and detach."""

import numpy as np
import pytest

import optshare
from optshare import Buffer, Chain, Dense, Dropout, functional_call, nll, operator, params, tanh
from optshare.errors import EmptyModelError, ParameterError, WeightsError
from optshare_functional import grad
from optshare_tape import Variable, back

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 3)), np.array([0, 1, 1, 0])
SHAPES = [(3, 5), (5,), (5, 2), (2,)]
W = [RNG.normal(size=shape) for shape in SHAPES]
PATHS = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]


def network(**sizes):
    return Chain(Dense(3, 5, tanh, dtype=np.float64), Dense(5, 2, dtype=np.float64))


def wanted(w, x):
    return np.tanh(x @ w[0] + w[1]) @ w[2] + w[3]


@pytest.mark.parametrize(
    "weights",
    [W, tuple(W), [W[:2], W[2:]], [[W[0], W[1]], (W[2], [W[3]])], dict(zip(PATHS, W, strict=True))],
    ids=["list", "tuple", "by layer", "nested", "by path"],
)
@pytest.mark.parametrize(
    "model", [network(), Chain(Dense(5, tanh), Dense(2))], ids=["built", "not"]
)
def test_weights_may_be_laid_out_in_any_of_these_ways(weights, model, unchanged):
    before = [p.stored for p in params(model)]
    np.testing.assert_allclose(functional_call(model, weights, X), wanted(W, X), rtol=1e-15)
    assert all(p.stored is each for p, each in zip(params(model), before, strict=True))


def test_some_of_the_weights_may_be_given_by_path():
    model = network()
    w = [p.value for p in params(model)]
    np.testing.assert_allclose(
        functional_call(model, {"layers.1.bias": W[3]}, X), wanted([*w[:3], W[3]], X), rtol=1e-15
    )


def test_knets_gradient_of_a_loss_for_its_weights():
    model = Chain(Dense(5, tanh), Dense(2))

    def loss(w, x, y):
        return nll(functional_call(model, w, x), y)

    g = grad(loss)(W, X, Y)
    direct = network()
    for p, w in zip(params(direct), W, strict=True):
        p.value = w
    expected = optshare.gradient(lambda: nll(direct(X), Y), wrt=direct)
    for each, other in zip(g, expected, strict=True):
        np.testing.assert_array_equal(each, other)
    by_path = grad(loss)(dict(zip(PATHS, W, strict=True)), X, Y)
    assert list(by_path) == PATHS


def test_jax_and_torch_differentiate_it_by_themselves():
    import jax
    import torch

    model = Chain(Dense(5, tanh), Dense(2))

    def total(w, x):
        return (functional_call(model, w, x) ** 2).sum()

    g = grad(total)(W, X)
    with jax.enable_x64(True):
        compiled = jax.jit(jax.grad(total))([jax.numpy.asarray(w) for w in W], jax.numpy.asarray(X))
    tensors = [torch.tensor(w, requires_grad=True) for w in W]
    total(tensors, torch.tensor(X)).backward()
    for mine, jaxs, torchs in zip(g, compiled, tensors, strict=True):
        np.testing.assert_allclose(mine, np.asarray(jaxs), rtol=1e-12)
        np.testing.assert_allclose(mine, torchs.grad.numpy(), rtol=1e-12)


def test_it_mixes_with_the_models_own_parameters_in_one_gradient():
    model = network()
    g = optshare.gradient(
        lambda w: (functional_call(model, {"layers.1.bias": w}, X) ** 2).sum(), W[3], wrt=(0, model)
    )
    assert g[params(model)[3]] is None  # the given one stood in its place
    assert g[0].shape == (2,)
    assert g[params(model)[0]].shape == (3, 5)


def test_parameters_and_variables_may_be_the_weights():
    model, other = network(), network()
    for p, w in zip(params(other), W, strict=True):
        p.value = w
    np.testing.assert_allclose(functional_call(model, params(other), X), wanted(W, X), rtol=1e-15)
    g = optshare.gradient(lambda: functional_call(model, params(other), X).sum(), wrt=other)
    assert g[params(other)[3]].tolist() == [4.0, 4.0]
    variables = [Variable(w) for w in W]
    back(functional_call(model, variables, X).sum())
    assert variables[3].grad.tolist() == [4.0, 4.0]


def test_a_tied_parameter_is_given_once_in_order_and_by_any_of_its_paths():
    shared = Dense(2, 2, bias=False, dtype=np.float64)
    model, w, x = Chain(shared, shared), RNG.normal(size=(2, 2)), np.eye(2)
    np.testing.assert_allclose(functional_call(model, [w], x), w @ w, rtol=1e-15)
    np.testing.assert_allclose(functional_call(model, {"layers.1.weight": w}, x), w @ w, rtol=1e-15)


def test_buffers_may_be_given_and_what_is_written_into_them_is_dropped():
    class Counting:
        def __init__(self):
            self.calls = Buffer(5.0)

        def __call__(self, x):
            self.calls.value = self.calls.value + 1.0
            return x * self.calls.value

    model = Counting()
    assert functional_call(model, {}, np.ones(1)).tolist() == [6.0]
    assert functional_call(model, {"calls": np.asarray(1.0)}, np.ones(1)).tolist() == [2.0]
    assert model.calls.value == 5.0


def test_recording_is_as_it_is_outside():
    model, x = Chain(Dropout(0.5, seed=0)), np.ones(100)
    assert functional_call(model, [], x).tolist() == x.tolist()
    g = grad(lambda x: functional_call(model, [], x).sum())(x)
    assert set(g.tolist()) == {0.0, 2.0}


def test_an_operator_is_pure_and_takes_keywords():
    predict = operator(network())
    np.testing.assert_allclose(predict(W, X), wanted(W, X), rtol=1e-15)
    scaled = operator(lambda x, by: x * by)
    assert scaled([], 2.0, by=3.0) == 6.0


@pytest.mark.parametrize(
    ("weights", "essence"),
    [
        (W[:3], "3 weights were given for the 4 parameters of Chain"),
        ([*W, W[0]], "5 weights"),
        ({"layer.0.weight": W[0]}, r"no weight 'layer.0.weight'; choices: layers.0.weight \(did"),
        ([W[0].T, *W[1:]], r"'layers.0.weight' has shape \(3, 5\), the weight given \(5, 3\)"),
        ([*W[:3], 3.0], "'layers.1.bias': a weight is an array, not a float"),
    ],
)
def test_weights_that_do_not_fit_are_named(weights, essence, unchanged):
    model = network()
    with unchanged(model), pytest.raises(WeightsError, match=essence):
        functional_call(model, weights, X)


def test_weights_that_the_input_does_not_fit_are_named():
    with pytest.raises(WeightsError, match=r"asks for a weight of shape \(4, 5\), \(3, 5\) was"):
        functional_call(Chain(Dense(5), Dense(2)), W, np.ones((2, 4)))


def test_a_frameworks_own_parameters_are_refused():
    import torch

    with pytest.raises(WeightsError, match=r"'weight' belongs to a framework's own model"):
        functional_call(torch.nn.Linear(1, 1), {"weight": torch.ones(1, 1)}, torch.ones(1))


def test_the_model_cannot_be_assigned_to_inside():
    model = network()

    def assigns(x):
        model[0].bias.value = np.zeros(5)

    with pytest.raises(ParameterError, match="while it is being differentiated"):
        functional_call(Chain(model, assigns), {}, X)


# -- detach ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("backend")
class TestDetach:
    def test_its_parameters_are_constants_and_its_input_is_not(self):
        part = Dense(3, 3, dtype=np.float64)
        g = optshare.gradient(lambda x: optshare.detach(part)(x).sum(), X, wrt=0)
        np.testing.assert_allclose(g[0], np.ones((4, 3)) @ part.weight.value.T, rtol=1e-15)

    def test_the_same_part_trains_elsewhere_in_the_same_function(self):
        part = Dense(3, 3, dtype=np.float64)
        g = optshare.gradient(lambda: optshare.detach(part)(part(X)).sum(), wrt=part)
        expected = X.T @ np.ones((4, 3)) @ part.weight.value.T
        np.testing.assert_allclose(g[part.weight], expected, rtol=1e-14)

    def test_only_what_is_detached_gets_no_gradient(self):
        body, head = Dense(3, 3, dtype=np.float64), Dense(3, 2, dtype=np.float64)
        model = Chain(optshare.detach(body), head)
        g = optshare.gradient(lambda: model(X).sum(), wrt=model)
        assert g[body.weight] is None
        assert g[head.weight].shape == (3, 2)

    def test_params_lists_what_is_detached_and_training_leaves_it(self):
        body, head = Dense(3, 3), Dense(3, 2)
        model = Chain(optshare.detach(body), head)
        before = body.weight.value.copy()
        opt = optshare.SGD(model, lr=0.1)
        opt.step(lambda: model(X.astype(np.float32)).sum())
        assert len(params(model)) == 4
        np.testing.assert_array_equal(body.weight.value, before)
        assert (opt.state_for(body.weight).t, opt.state_for(head.weight).t) == (0, 1)


def test_detaching_what_has_no_parameters_is_refused():
    with pytest.raises(EmptyModelError, match="holds no Parameter to detach"):
        optshare.detach(tanh)


def operations(function):
    """How many operations the tape records, which are those of the backward pass."""
    from optshare_arrays import graph

    recorded, scope = [], graph.Scope
    names = "record", "record_one", "record_pair"
    original = [getattr(scope, name) for name in names]

    def counted(method):
        def record(self, primitive, *args):
            recorded.append(primitive.name)
            return method(self, primitive, *args)

        return record

    for name, method in zip(names, original, strict=True):
        setattr(scope, name, counted(method))
    try:
        function()
    finally:
        for name, method in zip(names, original, strict=True):
            setattr(scope, name, method)
    return len(recorded)


def test_the_backward_pass_skips_what_is_frozen_or_detached():
    body = Chain(Dense(3, 4, tanh, dtype=np.float64), Dense(4, 3, tanh, dtype=np.float64))
    head = Dense(3, 2, dtype=np.float64)

    def count(body):
        model = Chain(body, head)
        return operations(lambda: optshare.gradient(lambda: model(X).sum(), wrt=head))

    def all_of(model):
        return operations(lambda: optshare.gradient(lambda: model(X).sum(), wrt=model))

    head_only = operations(lambda: optshare.gradient(lambda: head(X).sum(), wrt=head))
    whole = all_of(Chain(body, head))
    assert whole >= head_only + 4
    assert all_of(Chain(optshare.detach(body), head)) == head_only
    with optshare.frozen(body):
        assert all_of(Chain(body, head)) == head_only
    assert count(body) == head_only
    assert all_of(Chain(body, head)) == whole


def test_weights_in_order_for_a_frameworks_own_module_are_refused_too():
    import torch

    with pytest.raises(WeightsError, match=r"'weight' belongs to a framework's own model"):
        functional_call(torch.nn.Linear(1, 1), [torch.ones(1, 1), torch.ones(1)], torch.ones(1))
