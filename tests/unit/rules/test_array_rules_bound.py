"""The rules that see whole arrays, bound to models."""

import json

import numpy as np
import pytest
import torch

import optshare
from optshare import Adafactor, AdamW, Dense, Muon, Optimizer, OptimizerChain, Parameter
from optshare.errors import CheckpointError, HyperparameterError
from optshare.rules import Site
from tests.unit.rules.cases import ARRAY_CASES, made

every_case = pytest.mark.parametrize("case", ARRAY_CASES)
RULE = Muon(lr=0.05, weight_decay=0.1, fallback=AdamW(lr=0.01))


def model():
    optshare.seed(3)
    return optshare.Chain(
        Dense(3, 5, optshare.tanh, dtype=np.float64), Dense(5, 2, dtype=np.float64)
    )


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, 3)), rng.normal(size=(20, 2))


def trained(net, opt, steps=4):
    x, y = data()
    return [opt.step(lambda: optshare.mse(net(x), y)) for _ in range(steps)]


@every_case
def test_an_optimizer_takes_the_steps_of_the_rule(case):
    start, rule = np.random.default_rng(1).normal(size=(3, 4)), made(case, lr=0.1)
    p = Parameter(start)
    opt = Optimizer([p], rule)
    own = rule.for_parameter(Site(0, "0"), (3, 4))
    value, state = start.copy(), own.initial_state(np, start, Site(0, "0"))
    for t in range(1, 5):
        g = np.random.default_rng(t + 10).normal(size=(3, 4))
        opt.update([g])
        state, step = own.array_step(np, value, g, state, t)
        value = value - step
    np.testing.assert_array_equal(p.value, value)
    np.testing.assert_equal(dict(opt.state_for(p).arrays), state)


@every_case
@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (5,)], ids=str)
def test_arrays_of_any_shape_keep_it(case, shape):
    more = {"fallback": AdamW()} if case.startswith("muon") else {}
    p = Parameter(np.ones(shape))
    opt = Optimizer([p], made(case, lr=0.1, **more))
    opt.update([np.full(shape, 0.5)])
    opt.update([None])
    opt.update([np.full(shape, -0.5)])
    assert p.shape == shape
    assert opt.state_for(p).t == 2
    assert np.isfinite(p.value).all()


@pytest.mark.parametrize("case", ["lars", "lamb", "adafactor", "muon"])
@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_a_model_has_the_same_numbers_on_every_engine(case, engine, deviation):
    import jax

    ends = []
    for name in ("tape", engine):
        with jax.enable_x64(True):
            net = model()
            if name != "tape":
                optshare.to(net, name)
            more = {"fallback": AdamW(lr=0.01)} if case == "muon" else {}
            x, y = (optshare.to(Parameter(each), name).value for each in data())
            opt = Optimizer(net, made(case, lr=0.05, **more))
            for _ in range(3):
                opt.step(lambda x, y, net=net: optshare.mse(net(x), y), x, y)
            ends.append([np.asarray(each.stored) for each in optshare.params(net)])
    for one, other in zip(*ends, strict=True):
        assert deviation(one, other, 0.05) <= 1e-12


@every_case
def test_a_bfloat16_tensor_is_updated_by_torchs_functions_in_single_precision(case):
    start = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    g = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    half, p = torch.nn.Parameter(torch.tensor(start).bfloat16()), Parameter(start)
    opt, other = (Optimizer([each], made(case, lr=0.01)) for each in (half, p))
    if case.startswith("muon"):
        other.adjust(layout=opt.state_for(half).layout)  # torch's own matrices are (out, in)
    opt.update([torch.tensor(g).bfloat16()])
    other.update([g])
    assert half.dtype == torch.bfloat16
    assert {each.dtype for each in opt.state_for(half).arrays.values()} == {torch.float32}
    # the value is rounded before and after; rounding g turns a step of lr by less than a tenth
    np.testing.assert_allclose(half.detach().float().numpy(), p.value, rtol=2**-7, atol=1e-3)


def test_a_model_is_trained_by_muon_and_its_fallback():
    net = model()
    opt = Optimizer(net, RULE)
    losses = trained(net, opt, 60)
    assert losses[-1] < 0.6 * losses[0]
    first, bias = net[0].weight, net[0].bias
    assert sorted(opt.state_for(first).arrays) == ["momentum_buffer"]
    assert sorted(opt.state_for(bias).arrays) == ["exp_avg", "exp_avg_sq"]
    assert (opt.state_for(first).lr, opt.state_for(bias).lr) == (0.05, 0.01)


def test_a_dense_layer_and_torchs_linear_get_transposed_values():
    ours = Dense(7, 4, dtype=np.float64)
    theirs = torch.nn.Linear(7, 4).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.value.T))
        theirs.bias.copy_(torch.tensor(ours.bias.value))
    one, other = Optimizer(ours, RULE), Optimizer(theirs, RULE)
    for step in range(5):
        rng = np.random.default_rng(step)
        g, h = rng.normal(size=(7, 4)), rng.normal(size=4)
        one.update([g, h])
        other.update([torch.tensor(g.T.copy()), torch.tensor(h)])
    np.testing.assert_allclose(theirs.weight.detach().numpy().T, ours.weight.value, rtol=1e-12)
    np.testing.assert_allclose(theirs.bias.detach().numpy(), ours.bias.value, rtol=1e-12)


def test_a_convolution_is_one_matrix():
    conv = optshare.Conv((3, 3), 2, 4, dtype=np.float64)
    flat = Parameter(conv.weight.value.reshape(4, 18))
    g = np.random.default_rng(0).normal(size=(4, 18))
    Optimizer(conv, RULE).update([g.reshape(conv.weight.shape), None])
    Optimizer([flat], RULE.adjusted(layout="out_in")).update([g])
    np.testing.assert_allclose(conv.weight.value.reshape(4, 18), flat.value, rtol=1e-12)


def test_sizes_that_the_input_tells_are_bound_before():
    net = optshare.Chain(Dense(4), Dense(2))
    opt = Optimizer(net, RULE)
    before = opt.state_for(net[0].weight).rule
    x = np.ones((5, 3), np.float32)
    opt.step(lambda: optshare.mse(net(x), np.ones((5, 2), np.float32)))
    assert before.layout == ((0,), (1,))
    assert opt.state_for(net[0].weight).momentum_buffer.shape == (3, 4)


def test_a_model_that_is_not_all_matrices_needs_a_fallback():
    says = r"'layers.0.bias' of shape \(5,\) is none"
    with pytest.raises(HyperparameterError, match=says):
        optshare.Muon(model(), lr=0.1)
    with pytest.raises(HyperparameterError, match=says):
        Optimizer(model(), OptimizerChain(optshare.SGD(lr=1.0), Muon()))


@pytest.mark.parametrize("rule", [RULE, Adafactor(lr=0.05)], ids=["muon", "adafactor"])
def test_a_saved_optimizer_goes_on_as_before(rule):
    net = model()
    opt = Optimizer(net, rule)
    trained(net, opt)
    saved = json.loads(json.dumps(opt.state_dict(), default=lambda array: array.tolist()))
    other = model()
    optshare.load_state_dict(other, optshare.state_dict(net))
    again = Optimizer(other, rule)
    again.load_state_dict(saved)
    assert trained(net, opt) == trained(other, again)
    assert again.state_for(other[0].weight).rule == opt.state_for(net[0].weight).rule


def test_a_state_of_another_fallback_is_refused():
    net = model()
    opt = Optimizer(net, RULE)
    with pytest.raises(CheckpointError, match="AdamW"):
        Optimizer(net, Muon(fallback=optshare.SGD())).load_state_dict(opt.state_dict())


def test_parts_of_a_model_are_adjusted_apart():
    net = model()
    opt = Optimizer(net, RULE)
    opt.adjust([net[0].weight, net[1].weight], lr=0.5, ns_steps=3)
    assert opt.state_for(net[1].weight).lr == 0.5
    assert opt.state_for(net[1].bias).lr == 0.01
    with pytest.raises(HyperparameterError, match="no hyperparameter 'ns_steps'"):
        opt.adjust(ns_steps=4)
    assert opt.state_for(net[1].weight).ns_steps == 3


def test_a_chain_asks_its_pieces_for_each_parameter():
    net = model()
    opt = Optimizer(net, OptimizerChain(optshare.SGD(lr=1.0), RULE))
    trained(net, opt)
    assert sorted(opt.state_for(net[0].weight).arrays) == ["1.momentum_buffer"]
    assert sorted(opt.state_for(net[0].bias).arrays) == ["1.exp_avg", "1.exp_avg_sq"]
