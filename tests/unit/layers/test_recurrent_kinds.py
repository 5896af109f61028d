"""Where RNN, LSTM and GRU differ, and that engines do not."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
import optshare_functional
import optshare_tape
from optshare import GRU, LSTM, RNN, Chain, Dense
from tests.unit.closeness import assert_close

KINDS = [RNN, LSTM, GRU]


def test_they_take_the_same_arguments_and_rnn_an_activation():
    ours = {kind: list(inspect.signature(kind).parameters) for kind in KINDS}
    assert ours[LSTM] == ours[GRU]
    assert ours[RNN] == [ours[LSTM][0], "activation", *ours[LSTM][1:]]
    defaults = {kind: inspect.signature(kind).parameters for kind in KINDS}
    assert all(defaults[RNN][name].default == defaults[GRU][name].default for name in ours[GRU])


def test_rnn_takes_its_activation_as_dense_does():
    assert RNN(4).activation is optshare.tanh
    assert repr(RNN(4, optshare.relu)) == "RNN(4, relu)"
    assert RNN(4, optshare.relu) == RNN(4, activation=optshare.relu)
    assert RNN(4, optshare.relu) != RNN(4)
    assert RNN(4, optshare.tanh) == RNN(4)


def test_rnn_squashes_by_any_function():
    layer = RNN(1, 1, lambda z: z, dtype=np.float64)
    layer.cells[0].input_weight.value = [[2.0]]
    layer.cells[0].hidden_weight.value = [[3.0]]
    layer.cells[0].bias.value = [1.0]
    x = np.array([[[1.0], [2.0], [0.0]]])
    assert layer(x)[0, :, 0].tolist() == [3.0, 14.0, 43.0]


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_gates_take_no_activation(kind):
    with pytest.raises(TypeError, match=f"{kind.__name__} takes no activation"):
        kind(4, optshare.relu)


def test_rnn_refuses_an_activation_that_is_no_function():
    with pytest.raises(TypeError, match="must be a function, not 'relu'"):
        RNN(4, "relu")


ENGINES = {
    "functional": np.asarray,
    "autograd": np.asarray,
    "torch": torch.tensor,
    "jax": jnp.asarray,
}


def trained(kind, engine, to_engine, steps=3):
    """The losses of a few steps of truncated backpropagation, and the weights after them."""
    optshare.seed(0)
    layer = kind(4, dtype=np.float64)
    model = Chain(layer, Dense(4, 2, dtype=np.float64))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 6, 3)), rng.normal(size=(5, 6, 2))
    with optshare.use(engine):
        if engine in ("torch", "jax"):
            optshare.to(model, engine)

        def loss(x, y):
            first, state = layer.run(x[:, :3])
            state = tuple(map(optshare.ops.stop_gradient, state))
            outputs = optshare.ops.concat([first, layer(x[:, 3:], state)], axis=1)
            return ((model[1](outputs) - y) ** 2).mean()

        opt = optshare.Adam(model, lr=0.01)
        losses = [float(opt.step(loss, to_engine(x), to_engine(y))) for _ in range(steps)]
    return losses, [np.asarray(p.stored) for p in optshare.params(model)]


SLOW = [pytest.param(kind, "jax", marks=pytest.mark.slow) for kind in (RNN, GRU)]
FAST = [(kind, engine) for kind in KINDS for engine in ENGINES if engine != "jax"]


@pytest.mark.parametrize(("kind", "engine"), [*FAST, (LSTM, "jax"), *SLOW])
def test_every_engine_trains_them_to_the_same_weights(kind, engine):
    losses, weights = trained(kind, engine, ENGINES[engine])
    wanted, others = trained(kind, "tape", np.asarray)
    assert_close(losses, wanted)
    assert losses[-1] < losses[0]
    for mine, theirs in zip(weights, others, strict=True):
        assert_close(mine, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_a_state_is_of_the_engine_of_the_weights(engine, kind):
    layer = kind(3, 4)
    optshare.to(layer, engine)
    zeros = layer.initial(2)
    assert all(type(each) is type(layer.cells[0].hidden_weight.value) for each in zeros)
    x = ENGINES[engine](np.ones((2, 3), np.float32))
    _, state = layer.step(x, zeros)
    assert [str(each.dtype).split(".")[-1] for each in state] == ["float32"] * len(zeros)


@pytest.mark.parametrize("kind", KINDS)
def test_one_engine_differentiates_it_inside_another(kind):
    layer = kind(2, 3, layers=2, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(2, 3, 2))

    def inner(engine):
        return (engine.grad(lambda y: (layer(y) ** 2).sum())(x) ** 2).sum()

    found = optshare.gradient(lambda: inner(optshare_functional), wrt=layer)
    wanted = optshare.gradient(lambda: inner(optshare_tape), wrt=layer)
    for parameter in optshare.params(layer):
        assert_close(found[parameter], wanted[parameter])


@pytest.mark.parametrize("kind", KINDS)
def test_buffers_carry_a_state_on_a_compiling_engine(kind):
    layer, x = kind(3, 4, dtype=np.float64), np.random.default_rng(0).normal(size=(2, 5, 3))
    wanted = layer.run(x)[1]
    optshare.to(layer, "jax")
    carried = [optshare.Buffer(each) for each in layer.initial(2)]

    def loss(x):
        outputs, state = layer.run(x, tuple(each.value for each in carried))
        for buffer, array in zip(carried, state, strict=True):
            buffer.value = array
        return (outputs**2).sum()

    opt = optshare.SGD(layer, lr=0.0)
    for piece in (x[:, :2], x[:, 2:4], x[:, 4:]):
        opt.step(loss, jnp.asarray(piece))
    assert_close(np.stack([each.value for each in carried]), np.stack(wanted))
