"""MultiHeadAttention, against PyTorch's and its own promises."""

import copy
import re

import numpy as np
import pytest
import torch

import optshare
from optshare import Adam, Chain, Dense, MultiHeadAttention, attention
from optshare.errors import DataError, HyperparameterError, UnbuiltError
from tests.unit.layers.attention_cases import (
    ENGINES,
    HOSTED,
    assert_equal_to_theirs,
    drawn,
    host,
    multihead_like,
    on,
    perturb,
    tensors,
)

MASK = np.random.default_rng(1).random((2, 1, 5, 5)) > 0.3
MASK[0, 0, 1] = False  # a query that no key is left for


def made(*sizes, **options):
    layer = MultiHeadAttention(*sizes, dtype=np.float64, **options)
    if len(sizes) == 2:
        perturb(layer)
    return layer


def compared(layer, engine, deviation, *arrays, mask=None, causal=False):
    """Ours and PyTorch's outputs and gradients, by the inputs and every weight."""
    theirs, pairs = multihead_like(layer)
    given = tensors(*arrays)
    blocked = None
    if mask is not None or causal:
        allowed = np.tri(arrays[0].shape[1], arrays[-1].shape[1]) > 0 if causal else mask
        heads = layer.given()[-1]
        allowed = np.broadcast_to(allowed, (len(arrays[0]), heads, *allowed.shape[-2:]))
        blocked = torch.tensor(~allowed.reshape(-1, *allowed.shape[-2:]))
    full = given * 3 if len(given) == 1 else given
    out, _ = theirs(*full, attn_mask=blocked, need_weights=False)
    weigh = drawn(*out.shape, seed=3)
    (out * torch.tensor(weigh)).sum().backward()

    optshare.to(layer, engine)
    with on(engine, weigh, *arrays) as (weigh, *own):
        found = layer(*own, mask=mask)
        places = tuple(range(len(own)))
        g = optshare.gradient(
            lambda *own: (layer(*own, mask=mask) * weigh).sum(), *own, wrt=(*places, layer)
        )
    assert_equal_to_theirs(deviation, (found, out), pairs, g)
    for place, tensor in zip(places, given, strict=True):
        assert deviation(tensor.grad.numpy(), host(g[place])) <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_self_attention_is_pytorchs(engine, deviation):
    compared(made(6, 2), engine, deviation, drawn(2, 5, 6))


@pytest.mark.parametrize("engine", HOSTED)
@pytest.mark.parametrize("options", [{"mask": MASK}, {"mask": MASK[0, 0]}, {"causal": True}])
def test_masked_self_attention_is_pytorchs(engine, options, deviation):
    causal = options.get("causal", False)
    compared(made(6, 3, causal=causal), engine, deviation, drawn(2, 5, 6), **options)


@pytest.mark.parametrize("engine", HOSTED)
def test_attention_to_another_sequence_is_pytorchs(engine, deviation):
    arrays = drawn(2, 5, 6), drawn(2, 3, 6), drawn(2, 3, 6, seed=1)
    compared(made(6, 3), engine, deviation, *arrays)


@pytest.mark.parametrize("engine", HOSTED)
def test_keys_and_values_of_other_sizes_are_pytorchs(engine, deviation):
    layer, arrays = made(2), (drawn(2, 5, 6), drawn(2, 3, 4), drawn(2, 3, 7))
    layer(*arrays)
    perturb(layer)
    assert (layer.key.weight.shape, layer.value.weight.shape) == ((4, 6), (7, 6))
    compared(layer, engine, deviation, *arrays)


@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 1, 4), (1, 1, 4), (0, 5, 4), (2, 300, 4)])
@pytest.mark.parametrize("heads", [1, 4])
def test_every_length_and_batch_is_pytorchs(backend, shape, heads, deviation):
    compared(made(4, heads, bias=False), backend, deviation, drawn(*shape))


def test_the_heads_are_consecutive_parts_of_the_features(deviation):
    layer, x = made(6, 2), drawn(2, 5, 6)
    parts = [
        attention(*(dense(x)[:, :, each] for dense in (layer.query, layer.key, layer.value)))
        for each in (slice(3), slice(3, 6))
    ]
    wanted = layer.out(np.concatenate(parts, axis=-1))
    assert deviation(wanted, layer(x)) <= 1e-14


def test_a_value_left_out_is_the_key(backend):
    layer, x, memory = made(6, 2), drawn(2, 5, 6), drawn(2, 3, 6)
    np.testing.assert_array_equal(layer(x, memory), layer(x, memory, memory))
    np.testing.assert_array_equal(layer(x), layer(x, x, x))


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("engine", HOSTED)
def test_a_later_input_changes_no_earlier_output_of_a_causal_one(engine, rotary):
    layer, x = optshare.to(made(8, 2, causal=True, rotary=rotary), engine), drawn(2, 6, 8)
    for time in range(6):
        other = x.copy()
        other[:, time:] += 1.0
        with on(engine, x, other) as (x_here, other_here):
            one, two = host(layer(x_here)), host(layer(other_here))
        np.testing.assert_array_equal(one[:, :time], two[:, :time])
        assert (one[:, time:] != two[:, time:]).any()


def test_without_positions_a_permuted_sequence_gives_the_permuted_output(backend, deviation):
    layer, x = made(6, 2), drawn(2, 7, 6)
    order = np.random.default_rng(0).permutation(7)
    assert deviation(layer(x)[:, order], layer(x[:, order])) <= 1e-14
    turned = made(6, 1, rotary=True)
    assert deviation(turned(x)[:, order], turned(x[:, order])) > 1e-3


def test_rotary_positions_count_by_their_distance_only(deviation):
    layer, x = made(8, 2, rotary=True), drawn(1, 4, 8)
    later = np.concatenate([drawn(1, 3, 8, seed=2), x], axis=1)
    unseen = np.arange(7) >= 3
    assert deviation(layer(x), layer(later, mask=unseen)[:, 3:]) <= 1e-13


def test_a_query_without_keys_gives_the_bias_of_the_output(backend):
    layer, x = made(6, 2), drawn(2, 5, 6)
    out = layer(x, mask=np.arange(5)[:, None] != np.full(5, 2))
    np.testing.assert_array_equal(out[:, 2], np.broadcast_to(layer.out.bias.value, (2, 6)))
    assert np.isfinite(out).all()


# -- sizes -----------------------------------------------------------------------------------


def test_sizes_left_out_are_taken_from_the_first_input_with_the_same_numbers(backend):
    optshare.seed(3)
    lazy = MultiHeadAttention(2)
    optshare.seed(3)
    eager = MultiHeadAttention(6, 2)
    x = drawn(2, 5, 6).astype(np.float32)
    assert {p.shape for p in optshare.params(lazy)} == {(None, None), (None,)}
    np.testing.assert_array_equal(lazy(x), eager(x))
    assert [p.shape for p in optshare.params(lazy)] == [p.shape for p in optshare.params(eager)]


def test_a_chain_an_optimizer_and_a_gradient_give_the_sizes_too(backend):
    x = drawn(2, 5, 6).astype(np.float32)
    for use in (
        lambda model: model(x),
        lambda model: optshare.gradient(lambda: model(x).sum(), wrt=model),
        lambda model: Adam(model, lr=0.1).step(lambda x: (model(x) ** 2).mean(), x),
        lambda model: optshare.build(model, x.shape),
    ):
        model = Chain(MultiHeadAttention(3, rotary=True), Dense(2))
        use(model)
        assert model[0].out.weight.shape == (6, 6)
        assert model(x).shape == (2, 5, 2)


def test_an_input_that_does_not_fit_builds_nothing():
    for given, options in (
        ((drawn(2, 5, 7),), {}),
        ((drawn(2, 5, 6),), {"mask": np.ones((4, 4), bool)}),
        ((drawn(2, 5, 6), drawn(3, 5, 6)), {}),
        ((drawn(2, 5, 6).astype(int),), {}),
    ):
        layer = MultiHeadAttention(2)
        with pytest.raises(DataError):
            layer(*given, **options)
        assert not any(each.built for each in optshare.params(layer))
    with pytest.raises(UnbuiltError, match="has no value yet"):
        layer.query(drawn(2, 6))


def test_single_precision_stays():
    layer = MultiHeadAttention(4, 2, rotary=True, causal=True)
    x = np.ones((1, 3, 4), np.float32)
    assert layer(x, mask=np.zeros((3, 3))).dtype == np.float32
    assert {each.dtype for each in optshare.params(layer)} == {np.dtype(np.float32)}


# -- parts -----------------------------------------------------------------------------------


def test_a_frozen_projection_stays_while_the_others_train(backend):
    layer, x = made(4, 2), drawn(2, 3, 4)
    optshare.freeze(layer.key)
    before = [each.value.copy() for each in optshare.params(layer)]
    opt = Adam(layer, lr=0.1)
    opt.step(lambda x: (layer(x) ** 2).mean(), x)
    for each, old in zip(optshare.params(layer), before, strict=True):
        assert np.array_equal(each.value, old) == each.frozen
    assert [each.frozen for each in optshare.params(layer)].count(True) == 2


@pytest.mark.parametrize("sizes", [(2,), (4, 2)])
def test_two_projections_may_be_one(backend, sizes, deviation):
    layer, x = made(*sizes), drawn(2, 3, 4)
    layer.key = layer.query
    layer(x)
    perturb(layer)
    assert len(optshare.params(layer)) == 6
    g = optshare.gradient(lambda: (layer(x) ** 2).sum(), wrt=layer)
    apart = copy.deepcopy(layer)
    apart.key = copy.deepcopy(apart.query)
    parts = optshare.gradient(lambda: (apart(x) ** 2).sum(), wrt=apart)
    both = parts[apart.query.weight] + parts[apart.key.weight]
    assert deviation(both, g[layer.query.weight]) <= 1e-12


def test_dropout_acts_while_recording_only(backend):
    layer, x = made(4, 2, dropout=0.5), drawn(2, 30, 4)
    quiet = layer(x)
    np.testing.assert_array_equal(quiet, layer(x))
    with optshare.trainmode(layer):
        noisy = layer(x)
    assert not np.allclose(quiet, noisy)
    with optshare.testmode(layer):
        seen = []
        optshare.gradient(
            lambda: (seen.append(optshare.ops.stop_gradient(layer(x))), layer(x).sum())[1],
            wrt=layer,
        )
    np.testing.assert_allclose(seen[0], quiet, rtol=1e-14)


def test_dropout_thins_the_weights_and_keeps_their_mean():
    layer = made(1, 1, dropout=0.25)
    for each in (layer.value, layer.out):
        each.weight.value, each.bias.value = [[1.0]], [0.0]
    layer.weight_dropout.seed = 0
    ones = np.ones((400, 20, 1))
    with optshare.trainmode(layer):
        out = layer(ones)
    # the mean of 8000 sums of 20 weights 1/20, each 0 or 4/3, of variance (1/3) / 20
    assert abs(out.mean() - 1) < 5 * np.sqrt(1 / 3 / 20 / 8000)
    assert len(np.unique(np.round(out, 9))) > 5


def test_a_copy_is_equal_and_apart():
    layer, x = made(4, 2, rotary=True), drawn(2, 3, 4)
    twin = copy.deepcopy(layer)
    assert twin == layer
    np.testing.assert_array_equal(twin(x), layer(x))
    twin.key.weight.value = 2 * twin.key.weight.value
    assert not np.array_equal(twin(x), layer(x))


def test_equal_options_make_equal_layers():
    assert MultiHeadAttention(4, 2) == MultiHeadAttention(4, 2)
    others = [
        MultiHeadAttention(2),
        MultiHeadAttention(4, 1),
        MultiHeadAttention(4, 2, bias=False),
        MultiHeadAttention(4, 2, causal=True),
        MultiHeadAttention(4, 2, rotary=True),
        MultiHeadAttention(4, 2, dropout=0.1),
    ]
    assert all(MultiHeadAttention(4, 2) != other for other in others)


def test_repr_shows_what_was_asked_for():
    assert repr(MultiHeadAttention(2)) == "MultiHeadAttention(2)"
    shown = "MultiHeadAttention(4, 2, bias=False, dropout=0.1, causal=True, rotary=True)"
    assert repr(eval(shown)) == shown


@pytest.mark.parametrize("engine", ["tape", "torch"])
def test_gradcheck_finds_both_orders_right(engine):
    layer = optshare.to(made(4, 2, causal=True, rotary=True), engine)
    with on(engine, drawn(2, 3, 4)) as (x,):
        optshare.gradcheck(lambda x: layer(x), x)


def test_flops_are_those_of_the_docstring():
    T, features = 7, 8  # noqa: N806 # as in the docstring
    counted = optshare.flops(MultiHeadAttention(features, 2, bias=False), (1, T, features))
    softmax, scaling = 2 * 3 * T * T, T * features
    assert counted == 8 * T * features**2 + 4 * T**2 * features + softmax + scaling


# -- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "options", "essence"),
    [
        ((6, 4), {}, "4 heads do not divide 6 features"),
        ((6, 2), {"rotary": True}, "even number of features for each head, not 6 / 2 = 3"),
        ((6, 0), {}, "heads must be a whole number, at least 1, not 0"),
        ((-6, 2), {}, "features must be a whole number, at least 1, not -6"),
        ((2.0,), {}, "heads must be a whole number, at least 1, not 2.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, options, essence):
    with pytest.raises(DataError, match=re.escape(essence)):
        MultiHeadAttention(*sizes, **options)


def test_a_wrong_number_of_sizes_is_refused():
    with pytest.raises(TypeError, match=r"MultiHeadAttention\(features, heads\), not \(\)"):
        MultiHeadAttention()
    with pytest.raises(TypeError, match=r"not \(4, 2, 2\)"):
        MultiHeadAttention(4, 2, 2)


@pytest.mark.parametrize("dropout", [1.0, -0.1, None, "half"])
def test_a_dropout_out_of_range_is_refused(dropout):
    with pytest.raises(HyperparameterError, match=r"p must be in \[0, 1\)"):
        MultiHeadAttention(4, 2, dropout=dropout)


@pytest.mark.parametrize(
    ("shapes", "essence"),
    [
        ([(5, 4)], "MultiHeadAttention(4, 2) needs a query (batch, queries, features)"),
        ([(2, 2, 5, 4)], "not shapes (2, 2, 5, 4), (2, 2, 5, 4), (2, 2, 5, 4)"),
        ([(2, 5, 4), (3, 5, 4)], "one batch size"),
        ([(2, 5, 4), (2, 3, 4), (2, 4, 4)], "not shapes (2, 5, 4), (2, 3, 4), (2, 4, 4)"),
        ([(2, 0, 4)], "at least one key, not shapes (2, 0, 4)"),
        ([(2, 5, 3)], "query: Dense(4, 4) needs an array whose last axis has 4 elements"),
        ([(2, 5, 4), (2, 5, 3)], "key: Dense(4, 4) needs an array whose last axis has 4 elements"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_its_shapes(shapes, essence):
    with pytest.raises(DataError, match=re.escape(essence)):
        MultiHeadAttention(4, 2)(*(np.ones(shape) for shape in shapes))


def test_integers_and_lists_are_refused():
    for wrong in np.ones((2, 5, 4), int), [[[1.0] * 4]]:
        with pytest.raises(DataError, match="needs an array of floating numbers"):
            MultiHeadAttention(4, 2)(wrong)


def test_an_error_inside_a_chain_names_the_place():
    model = Chain(Dense(6), MultiHeadAttention(4))
    with pytest.raises(DataError, match=r"^layers\.1: .*4 heads do not divide 6 features"):
        model(np.ones((2, 5, 3)))
