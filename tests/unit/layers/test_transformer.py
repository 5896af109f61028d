"""TransformerBlock, against PyTorch's encoder layer and its own promises."""

import copy
import re

import numpy as np
import pytest
import torch

import optshare
from optshare import Adam, Chain, Dense, LearnedEncoding, TransformerBlock, nll, relu
from optshare.errors import DataError, HyperparameterError
from optshare.layers import MultiHeadAttention
from tests.unit.layers.attention_cases import (
    HOSTED,
    assert_equal_to_theirs,
    drawn,
    encoder_like,
    host,
    on,
    perturb,
    tensors,
)


def tanh_gelu(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


THEIRS = {relu: torch.relu, optshare.gelu: tanh_gelu}
PADDED = np.array([[True, True, True], [True, True, False]])


def made(*sizes, **options):
    block = TransformerBlock(*sizes, dtype=np.float64, **options)
    if len(sizes) == 2:
        perturb(block)
    return block


def compared(block, engine, deviation, x, *, mask=None, **theirs_mask):
    theirs, pairs = encoder_like(block, THEIRS[block.activation])
    (given,) = tensors(x)
    out = theirs(given, **theirs_mask)
    weigh = drawn(*x.shape, seed=3)
    (out * torch.tensor(weigh)).sum().backward()

    optshare.to(block, engine)
    with on(engine, weigh, x) as (weigh, own):
        found = block(own, mask=mask)
        g = optshare.gradient(
            lambda own: (block(own, mask=mask) * weigh).sum(), own, wrt=(0, block)
        )
    assert_equal_to_theirs(deviation, (found, out), pairs, g)
    assert deviation(given.grad.numpy(), host(g[0])) <= 1e-12


@pytest.mark.parametrize("engine", [*HOSTED, pytest.param("jax", marks=pytest.mark.slow)])
@pytest.mark.parametrize("norm_first", [True, False])
def test_it_is_pytorchs_encoder_layer(engine, norm_first, deviation):
    compared(made(4, 2, norm_first=norm_first), engine, deviation, drawn(2, 3, 4))


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", THEIRS)
@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 5, 6), (3, 1, 6), (2, 40, 6)])
def test_every_shape_and_activation_is_pytorchs(backend, shape, activation, norm_first, deviation):
    block = made(6, 3, hidden=5, activation=activation, norm_first=norm_first)
    compared(block, backend, deviation, drawn(*shape))


def test_masked_it_is_pytorchs(backend, deviation):
    theirs = {"src_key_padding_mask": torch.tensor(~PADDED)}
    compared(made(4, 2), backend, deviation, drawn(2, 3, 4), mask=PADDED[:, None, None], **theirs)
    later = torch.ones(3, 3, dtype=torch.bool).triu(1)
    compared(made(4, 2, causal=True), backend, deviation, drawn(2, 3, 4), src_mask=later)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_later_input_changes_no_earlier_output_of_a_causal_stack(backend, norm_first):
    stack = Chain(*(made(4, 2, causal=True, norm_first=norm_first) for _ in range(3)))
    x = drawn(2, 6, 4)
    for time in range(6):
        other = x.copy()
        other[:, time:] -= 2.0
        np.testing.assert_array_equal(stack(x)[:, :time], stack(other)[:, :time])
        assert (stack(x)[:, time:] != stack(other)[:, time:]).any()


def test_without_positions_a_permuted_sequence_gives_the_permuted_output(backend, deviation):
    block, x = made(4, 2), drawn(2, 7, 4)
    order = np.random.default_rng(0).permutation(7)
    assert deviation(block(x)[:, order], block(x[:, order])) <= 1e-13
    turned = made(4, 2, rotary=True)
    assert deviation(turned(x)[:, order], turned(x[:, order])) > 1e-3


# -- training --------------------------------------------------------------------------------

SYMBOLS, HALF = 6, 4


def copying(rng, batch=32):
    """Sequences `a b c d | a b c d`, and what comes next from the bar on."""
    first = rng.integers(1, SYMBOLS, (batch, HALF))
    whole = np.concatenate([first, np.zeros((batch, 1), int), first], axis=1)
    return np.eye(SYMBOLS, dtype=np.float32)[whole[:, :-1]], first


@pytest.mark.parametrize("encoding", ["learned", "rotary"])
def test_a_stack_learns_to_copy(encoding):
    optshare.seed(0)
    rng, rotary = np.random.default_rng(0), encoding == "rotary"
    positions = [] if rotary else [LearnedEncoding(2 * HALF)]
    blocks = [TransformerBlock(4, causal=True, rotary=rotary) for _ in range(2)]
    model = Chain(Dense(32), *positions, *blocks, Dense(SYMBOLS))
    opt = Adam(model, lr=3e-3)
    with optshare.use("tape"):
        found = [
            opt.step(lambda x, y: nll(model(x)[:, HALF:], y), *copying(rng)) for _ in range(100)
        ]
        x, labels = copying(rng, 200)
        accuracy = optshare.accuracy(model(x)[:, HALF:], labels)
    assert found[0] > 1.5  # about log(5) = 1.61 for a guess
    assert found[-1] < 0.01
    assert accuracy > 0.99


# -- sizes -----------------------------------------------------------------------------------


def test_sizes_left_out_are_taken_from_the_first_input_with_the_same_numbers(backend):
    optshare.seed(3)
    lazy = TransformerBlock(2)
    optshare.seed(3)
    eager = TransformerBlock(6, 2)
    x = drawn(2, 5, 6).astype(np.float32)
    np.testing.assert_array_equal(lazy(x), eager(x))
    assert [p.shape for p in optshare.params(lazy)] == [p.shape for p in optshare.params(eager)]
    assert eager.expand.weight.shape == (6, 24)


def test_a_given_width_may_stand_beside_features_left_out():
    block = TransformerBlock(2, hidden=5)
    block(np.ones((1, 3, 4), np.float32))
    assert (block.expand.weight.shape, block.contract.weight.shape) == ((4, 5), (5, 4))


def test_a_chain_an_optimizer_and_a_gradient_give_the_sizes_too(backend):
    x = drawn(2, 5, 6).astype(np.float32)
    for use in (
        lambda model: model(x),
        lambda model: optshare.gradient(lambda: model(x).sum(), wrt=model),
        lambda model: Adam(model, lr=0.1).step(lambda x: (model(x) ** 2).mean(), x),
        lambda model: optshare.build(model, x.shape),
    ):
        model = Chain(TransformerBlock(3), TransformerBlock(2, norm_first=False), Dense(2))
        use(model)
        assert model[1].contract.weight.shape == (24, 6)
        assert model(x).shape == (2, 5, 2)


def test_an_input_that_does_not_fit_builds_nothing():
    for x, options in (
        (drawn(2, 5, 7), {}),
        (drawn(2, 5, 6), {"mask": np.ones((4, 4), bool)}),
        (drawn(5, 6), {}),
        (drawn(2, 5, 6).astype(int), {}),
    ):
        block = TransformerBlock(2)
        with pytest.raises(DataError):
            block(x, **options)
        assert not any(each.built for each in optshare.params(block))


def test_single_precision_stays():
    block = TransformerBlock(4, 2, rotary=True, causal=True)
    assert block(np.ones((1, 3, 4), np.float32)).dtype == np.float32
    assert {each.dtype for each in optshare.params(block)} == {np.dtype(np.float32)}


# -- parts -----------------------------------------------------------------------------------


def test_a_frozen_part_stays_while_the_others_train(backend):
    block, x = made(4, 2), drawn(2, 3, 4)
    optshare.freeze(block.attention)
    before = [each.value.copy() for each in optshare.params(block)]
    Adam(block, lr=0.1).step(lambda x: (block(x) ** 2).mean(), x)
    frozen = {id(each) for each in optshare.params(block.attention)}
    for each, old in zip(optshare.params(block), before, strict=True):
        assert np.array_equal(each.value, old) == (id(each) in frozen)


def test_dropout_acts_in_four_places_while_recording(backend):
    block, x = made(4, 2, dropout=0.5), drawn(2, 3, 4)
    np.testing.assert_array_equal(block(x), block(x))
    optshare.gradient(lambda: block(x).sum(), wrt=block)
    counts = [each.value for each in optshare.buffers(block)]
    assert counts == [1, 1, 1, 1]
    with optshare.testmode(block):
        optshare.gradient(lambda: block(x).sum(), wrt=block)
    assert [each.value for each in optshare.buffers(block)] == [1, 1, 1, 1]
    with optshare.trainmode(block):
        assert not np.array_equal(block(x), block(x))


def test_each_dropout_stands_where_pytorch_has_it():
    block, x = made(4, 2, dropout=0.5), drawn(1, 3, 4)
    attended = block.attention(block.attention_norm(x))
    middle = x + attended
    hidden = block.expand(block.feedforward_norm(middle))
    places = {
        "attention_dropout": lambda drop: _after(block, x + drop(attended)),
        "hidden_dropout": lambda drop: middle + block.contract(drop(hidden)),
        "feedforward_dropout": lambda drop: middle + drop(block.contract(hidden)),
    }
    for name, wanted in places.items():
        one = copy.deepcopy(block)
        with optshare.trainmode(getattr(one, name)):
            drop = copy.deepcopy(getattr(one, name))
            np.testing.assert_allclose(one(x), wanted(drop), rtol=1e-13)


def _after(block, middle):
    return middle + block.contract(block.expand(block.feedforward_norm(middle)))


def losses(engine):
    """Of a few steps with dropout, from one seed."""
    optshare.seed(5)
    block, x = TransformerBlock(4, 2, dropout=0.3, dtype=np.float64), drawn(2, 3, 4)
    opt = Adam(optshare.to(block, engine), lr=0.1)
    with on(engine, x) as (x,):
        return [float(opt.step(lambda x: (block(x) ** 2).mean(), x)) for _ in range(3)]


@pytest.mark.parametrize(
    "engine", ["functional", "torch", pytest.param("jax", marks=pytest.mark.slow)]
)
def test_one_seed_gives_the_same_masks_on_every_engine(engine):
    np.testing.assert_allclose(losses(engine), losses("tape"), rtol=1e-12)


def test_every_dropout_has_masks_of_its_own_and_a_generator_gives_them_all():
    optshare.seed(0)
    block = TransformerBlock(4, 2, dropout=0.3)
    parts = "attention_dropout", "hidden_dropout", "feedforward_dropout"
    seeds = {getattr(block, each).seed for each in parts}
    assert len(seeds | {block.attention.weight_dropout.seed}) == 4
    one, other = (TransformerBlock(4, 2, dropout=0.3, rng=np.random.default_rng(1)) for _ in "ab")
    x = drawn(2, 3, 4).astype(np.float32)
    with optshare.trainmode([one, other]):
        np.testing.assert_array_equal(one(x), other(x))


def test_a_copy_is_equal_and_apart():
    block, x = made(4, 2), drawn(2, 3, 4)
    twin = copy.deepcopy(block)
    assert twin == block
    np.testing.assert_array_equal(twin(x), block(x))
    twin.expand.weight.value = 2 * twin.expand.weight.value
    assert not np.array_equal(twin(x), block(x))


def test_repr_and_equality_are_those_of_what_was_asked_for():
    assert repr(TransformerBlock(2)) == "TransformerBlock(2)"
    shown = (
        "TransformerBlock(4, 2, activation=relu, hidden=5, norm_first=False, dropout=0.1, "
        "causal=True, rotary=True)"
    )
    assert repr(eval(shown)) == shown
    assert TransformerBlock(4, 2) == TransformerBlock(4, 2)
    assert TransformerBlock(4, 2) != TransformerBlock(4, 2, activation=relu)
    assert TransformerBlock(4, 2) != TransformerBlock(4, 2, norm_first=False)
    assert TransformerBlock(4, 2) != TransformerBlock(2)


@pytest.mark.parametrize("norm_first", [True, False])
def test_gradcheck_finds_both_orders_right(norm_first):
    block = made(4, 2, causal=True, norm_first=norm_first)
    optshare.gradcheck(lambda x: block(x), drawn(1, 3, 4))


def test_flops_are_those_of_the_docstring():
    time, features, hidden = 7, 8, 5
    shape = (1, time, features)
    block = TransformerBlock(features, 2, hidden=hidden)
    parts = MultiHeadAttention(features, 2), block.attention_norm, block.attention_norm
    rest = optshare.flops(block, shape) - sum(optshare.flops(each, shape) for each in parts)
    biases_activation_sums = time * (features + 2 * hidden) + 2 * time * features
    assert rest == 4 * features * hidden * time + biases_activation_sums


# -- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "options", "error", "essence"),
    [
        ((6, 4), {}, DataError, "4 heads do not divide 6 features"),
        ((6, 2), {"hidden": 0}, DataError, "hidden must be a whole number, at least 1, not 0"),
        ((), {}, TypeError, "TransformerBlock(features, heads), not ()"),
        ((4, 2), {"activation": "relu"}, TypeError, "must be a function, not 'relu'"),
        ((4, 2), {"dropout": 1.5}, HyperparameterError, "p must be in [0, 1), not 1.5"),
    ],
)
def test_what_it_cannot_be_made_of_is_refused(sizes, options, error, essence):
    with pytest.raises(error, match=re.escape(essence)):
        TransformerBlock(*sizes, **options)


@pytest.mark.parametrize(
    ("x", "essence"),
    [
        (np.ones((3, 4)), "needs sequences (batch, time, features), not one of shape (3, 4)"),
        (np.ones((2, 3, 5)), "attention_norm: LayerNorm"),
        (np.ones((2, 0, 4)), "attention: MultiHeadAttention(4, 2) needs a query"),
        (np.ones((2, 3, 4), int), "floating numbers, not an array of int64"),
        ([[[1.0] * 4]], "floating numbers, not a list"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x, essence):
    with pytest.raises(DataError, match=re.escape(essence)):
        TransformerBlock(4, 2)(x)
