"""RNN, LSTM and GRU have the numbers of PyTorch's, on every engine."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import GRU, LSTM, RNN
from tests.unit.closeness import assert_close
from tests.unit.layers.torch_weights import gradients, take_weights

KINDS = {"tanh": RNN, "relu": RNN, "lstm": LSTM, "gru": GRU}
SHAPES = {"several": (4, 5, 3), "one": (1, 5, 3), "one step": (4, 1, 3), "none": (0, 5, 3)}


def pair(kind, hidden=2, features=3, layers=1, bidirectional=False, bias=True):
    """PyTorch's layer, and ours with its weights."""
    torch.manual_seed(0)
    made = getattr(torch.nn, KINDS[kind].__name__)
    module = made(
        features,
        hidden,
        num_layers=layers,
        bidirectional=bidirectional,
        bias=bias,
        batch_first=True,
        dtype=torch.float64,
        **({"nonlinearity": "relu"} if kind == "relu" else {}),
    )
    activation = [optshare.relu] if kind == "relu" else []
    layer = KINDS[kind](
        hidden,
        *activation,
        layers=layers,
        bidirectional=bidirectional,
        bias=bias,
        dtype=np.float64,
    )
    take_weights(layer, module)
    return module, layer


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def states(layer, batch):
    """A state with other numbers than zeros."""
    return tuple(drawn(batch, layer.hidden, seed=k) for k in range(len(layer.initial(0))))


def stacked(layer, state):
    """A state as PyTorch has it: h, or (h, c), of (layers * directions, batch, hidden)."""
    parts = [
        torch.tensor(np.stack(state[k :: layer.kept]), requires_grad=True)
        for k in range(layer.kept)
    ]
    return parts, (parts[0] if layer.kept == 1 else tuple(parts))


def unstacked(layer, parts):
    """A state as we have it, of PyTorch's arrays."""
    return [np.asarray(part[k]) for k in range(len(layer.cells)) for part in parts]


def check(kind, shape, engine=None, to_engine=np.asarray, **options):
    """Outputs, the last state, and the gradients for x, the state and every weight."""
    module, layer = pair(kind, features=shape[2], **options)
    x, state = drawn(*shape, seed=9), states(layer, shape[0])
    tensor, (parts, hx) = torch.tensor(x, requires_grad=True), stacked(layer, state)
    wanted, last = module(tensor, hx)
    ends = [last] if layer.kept == 1 else list(last)
    weigh, weigh_ends = drawn(*wanted.shape, seed=5), drawn(*ends[0].shape, seed=6)
    loss = (wanted * torch.tensor(weigh)).sum()
    for k, end in enumerate(ends):
        loss = loss + ((k + 1) * end * torch.tensor(weigh_ends)).sum()
    loss.backward()

    def ours(x, state):
        outputs, after = layer.run(x, state)
        loss = (outputs * to_engine(weigh)).sum()
        for number, each in enumerate(after):
            number, k = divmod(number, layer.kept)
            loss = loss + (each * to_engine((k + 1) * weigh_ends[number])).sum()
        return loss

    if engine is not None:
        optshare.to(layer, engine)
    x, state = to_engine(x), tuple(map(to_engine, state))
    outputs, after = layer.run(x, state)
    assert_close(np.asarray(outputs), wanted.detach().numpy())
    for mine, theirs in zip(after, unstacked(layer, [e.detach() for e in ends]), strict=True):
        assert_close(np.asarray(mine), theirs)
    found = optshare.gradient(ours, x, state, wrt=(0, 1, layer))
    assert_close(np.asarray(found[0]), tensor.grad.numpy())
    for mine, theirs in zip(found[1], unstacked(layer, [p.grad for p in parts]), strict=True):
        assert_close(np.asarray(mine), theirs)
    for parameter, theirs in gradients(layer, module):
        assert_close(np.asarray(found[parameter]), theirs)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_states_and_gradients_are_torchs(kind, layers, bidirectional, bias, shape):
    check(kind, shape, layers=layers, bidirectional=bidirectional, bias=bias)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("engine", "to_engine"),
    [
        ("torch", torch.tensor),
        ("autograd", np.asarray),
        pytest.param("jax", jnp.asarray, marks=pytest.mark.slow),
    ],
)
def test_other_engines_have_torchs_numbers_too(engine, to_engine, kind, bidirectional):
    with optshare.use(engine):
        check(kind, (4, 5, 3), engine, to_engine, layers=2, bidirectional=bidirectional)


@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh"])
def test_jax_has_torchs_numbers_too(kind):
    check(kind, (4, 5, 3), "jax", jnp.asarray)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_torch_takes_an_empty_batch_and_no_bias_on_its_own_arrays(kind, bias):
    check(kind, (0, 5, 3), "torch", torch.tensor, layers=2, bias=bias)


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(list(KINDS)),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 4)),
    hidden=st.integers(1, 5),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
)
def test_drawn_sizes_have_torchs_numbers_too(kind, shape, hidden, layers, bidirectional):
    check(kind, shape, hidden=hidden, layers=layers, bidirectional=bidirectional)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_state_it_begins_at_zeros_as_torchs(kind):
    module, layer = pair(kind, layers=2, bidirectional=True)
    x = drawn(4, 5, 3)
    assert_close(layer(x), module(torch.tensor(x))[0].detach().numpy())


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_one_output_is_torchs_last_h_of_each_direction(kind, bidirectional):
    module, layer = pair(kind, layers=2, bidirectional=bidirectional)
    layer.return_sequences = False
    x, directions = drawn(4, 5, 3), 1 + bidirectional
    last = module(torch.tensor(x))[1]
    h = (last[0] if kind == "lstm" else last).detach().numpy()[-directions:]
    assert_close(layer(x), np.concatenate(list(h), axis=-1))
