"""`attention`, against PyTorch's scaled_dot_product_attention and its own promises."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import optshare
from optshare import Dropout, Parameter, attention, registry
from optshare.errors import DataError
from tests.unit.layers.attention_cases import ENGINES, HOSTED, drawn, host, on, tensors

QUERY, KEY, VALUE = drawn(2, 3, 4, 5), drawn(2, 3, 6, 5), drawn(2, 3, 6, 7)
TRUTHS = np.random.default_rng(5).random((2, 1, 4, 6)) > 0.4
TRUTHS[1, 0, 2] = False  # a query that no key is left for
ADDED = np.where(np.random.default_rng(6).random((3, 4, 6)) > 0.3, drawn(3, 4, 6), -np.inf)
ADDED[0, 1] = -np.inf
CASES = {
    "plain": {},
    "causal": {"causal": True},
    "truths": {"mask": TRUTHS},
    "added": {"mask": ADDED},
    "padding": {"mask": np.array([[True, True, False, True, False, True]])},
}
SHAPES = {
    "cross": (QUERY, KEY, VALUE),
    "one of all": (drawn(1, 1, 1, 1), drawn(1, 1, 1, 1), drawn(1, 1, 1, 1)),
    "no heads": (drawn(3, 5), drawn(4, 5), drawn(4, 2)),
    "no batch": (drawn(0, 2, 3, 4), drawn(0, 2, 3, 4), drawn(0, 2, 3, 4)),
    "no query": (drawn(2, 2, 0, 4), drawn(2, 2, 3, 4), drawn(2, 2, 3, 4)),
    "one key for all heads": (drawn(2, 3, 4, 5), drawn(2, 1, 6, 5), drawn(1, 1, 6, 2)),
    "fewer keys": (drawn(1, 2, 5, 4), drawn(1, 2, 3, 4), drawn(1, 2, 3, 4)),
    "far out": (1e3 * drawn(1, 2, 5, 4), drawn(1, 2, 3, 4), drawn(1, 2, 3, 4)),
}


def theirs_of(arrays, *, mask=None, causal=False):
    """PyTorch's output, and its gradients by each array."""
    given = tensors(*arrays)
    added = [] if mask is None else tensors(mask)
    out = scaled_dot_product_attention(
        *given, attn_mask=added[0] if added else None, is_causal=causal
    )
    (out * torch.tensor(drawn(*out.shape, seed=9))).sum().backward()
    return out.detach().numpy(), [each.grad.numpy() for each in given]


def weighted(**options):
    def loss(*arrays):
        out = attention(*arrays, **options)
        namespace = optshare.namespace_of(out)
        return namespace.sum(out * namespace.asarray(drawn(*out.shape, seed=9)))

    return loss


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_pytorchs(engine, case, deviation):
    arrays, options = SHAPES["cross"], CASES[case]
    wanted, gradients = theirs_of(arrays, **options)
    with on(engine, *arrays) as given:
        assert deviation(wanted, host(attention(*given, **options))) <= 1e-12
        found = optshare.gradient(weighted(**options), *given)
    for mine, theirs in zip(found, gradients, strict=True):
        assert deviation(theirs, host(mine)) <= 1e-12


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shapes", SHAPES)
def test_every_shape_gives_pytorchs_numbers(shapes, causal, deviation):
    wanted, gradients = theirs_of(SHAPES[shapes], causal=causal)
    with on("tape", *SHAPES[shapes]) as given:
        assert deviation(wanted, attention(*given, causal=causal)) <= 1e-12
        found = optshare.gradient(weighted(causal=causal), *given)
    for mine, theirs in zip(found, gradients, strict=True):
        assert deviation(theirs, mine, lr=1.0) <= 1e-12


def weights_of(query, key, **options):
    """What attention gives each key: its output where the values are unit vectors."""
    unit = np.broadcast_to(np.eye(key.shape[-2]), (*key.shape[:-1], key.shape[-2])).copy()
    ops = registry.owner(key).ops
    return attention(query, key, ops.astype(ops.asarray(unit), key.dtype), **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ({"mask": TRUTHS}, TRUTHS),
        ({"mask": ADDED}, -np.inf < ADDED),
        ({"causal": True}, np.tri(4, 6) > 0),
        ({"mask": TRUTHS, "causal": True}, TRUTHS & (np.tri(4, 6) > 0)),
        ({"mask": ADDED, "causal": True}, (-np.inf < ADDED) & (np.tri(4, 6) > 0)),
    ],
)
def test_a_masked_key_has_no_weight_at_all_and_the_others_sum_to_one(engine, options, allowed):
    with on(engine, QUERY, KEY) as given:
        weights = host(weights_of(*given, **options))
    allowed = np.broadcast_to(allowed, weights.shape)
    assert (weights[~allowed] == 0).all()
    assert (weights[allowed] > 0).all()
    np.testing.assert_allclose(weights.sum(-1), allowed.any(-1), rtol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_stands_at_a_masked_key_changes_no_number(engine):
    mask = np.arange(6) != 3
    seen = []
    for other in (0.0, 1e100):
        key, value = KEY.copy(), VALUE.copy()
        key[:, :, 3], value[:, :, 3] = other, other
        with on(engine, QUERY, key, value) as given:
            out = host(attention(*given, mask=mask))
            gradients = [*map(host, optshare.gradient(weighted(mask=mask), *given))]
        assert not gradients[1][:, :, 3].any()
        assert not gradients[2][:, :, 3].any()
        seen.append([out, *gradients])
    np.testing.assert_equal(*seen)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("nothing", [np.zeros((4, 6), bool), np.full((4, 6), -np.inf)])
def test_a_query_without_keys_gives_zero_and_so_do_its_derivatives(engine, nothing):
    with on(engine, QUERY, KEY, VALUE) as given:
        assert not host(attention(*given, mask=nothing)).any()
        for each in optshare.gradient(weighted(mask=nothing), *given):
            assert not host(each).any()


@pytest.mark.parametrize("engine", HOSTED)
def test_an_added_mask_is_differentiated_and_infinity_in_it_has_no_derivative(engine, deviation):
    bias = torch.tensor(ADDED, requires_grad=True)
    out = scaled_dot_product_attention(*map(torch.tensor, (QUERY, KEY, VALUE)), attn_mask=bias)
    (out * torch.tensor(drawn(*out.shape, seed=9))).sum().backward()
    with on(engine, ADDED, QUERY, KEY, VALUE) as (added, *given):
        (found,) = optshare.gradient(lambda added: weighted(mask=added)(*given), added)
    assert deviation(bias.grad.numpy(), host(found)) <= 1e-12
    assert not host(found)[-np.inf == ADDED].any()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_of_the_engine_is_as_good_as_one_of_numpys(engine):
    with on(engine, QUERY, KEY, VALUE, TRUTHS) as (*given, mask):
        own, hosts = attention(*given, mask=mask), attention(*given, mask=TRUTHS)
        np.testing.assert_array_equal(host(own), host(hosts))


def test_a_mask_of_keys_alone_counts_for_every_query():
    mask = CASES["padding"]["mask"]
    one, other = (attention(QUERY, KEY, VALUE, mask=each) for each in (mask, mask[0]))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", HOSTED)
def test_scores_far_apart_neither_overflow_nor_warn(engine):
    huge = np.array([[[[1e150], [-1e150]]]])
    with on(engine, huge, huge, drawn(1, 1, 2, 3)) as (query, key, value):
        out = host(attention(query, key, value, mask=np.array([[True, True], [False, True]])))
        np.testing.assert_array_equal(out[0, 0], host(value)[0, 0])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("engine", HOSTED)
def test_a_narrow_dtype_stays_and_is_masked_exactly(engine, dtype):
    given = [each.astype(dtype) for each in (QUERY, KEY, VALUE)]
    with on(engine, *given) as (query, key, value):
        out = attention(query, key, value, mask=TRUTHS, causal=True)
        assert dtype in str(out.dtype)
        weights = host(weights_of(query, key, mask=ADDED))
    assert not weights[np.broadcast_to(-np.inf == ADDED, weights.shape)].any()
    wide = attention(*(each.astype(np.float64) for each in given), mask=TRUTHS, causal=True)
    # each number of the sums is rounded, of which there are 5 in a score and 6 in an output
    bound = 20 * np.finfo(dtype).eps * np.abs(VALUE).max()
    assert np.abs(host(out) - wide).max() <= bound


def test_bfloat16_stays_too():
    given = [torch.tensor(each).bfloat16() for each in (QUERY, KEY, VALUE)]
    assert attention(*given, mask=TRUTHS, causal=True).dtype == torch.bfloat16


def test_it_can_be_traced_with_its_mask():
    def f(query, key, value, mask):
        return attention(query, key, value, mask=mask, causal=True)

    given = [*map(jnp.asarray, (QUERY, KEY, VALUE, TRUTHS))]
    np.testing.assert_allclose(jax.jit(f)(*given), f(QUERY, KEY, VALUE, TRUTHS), atol=1e-14)
    narrow = [each.astype(np.float32) for each in given[:3]]
    assert jax.jit(f)(*narrow, ADDED).dtype == np.float32


@pytest.mark.parametrize("engine", ["tape", "torch"])
@pytest.mark.parametrize("case", CASES)
def test_gradcheck_finds_both_orders_right(engine, case):
    arrays = drawn(2, 2, 4, 3), drawn(2, 2, 6, 3), drawn(2, 2, 6, 2)
    options = {"mask": ADDED[:2]} if case == "added" else CASES[case]
    with on(engine, *arrays) as given:
        optshare.gradcheck(lambda *given: attention(*given, **options), *given)


def test_dropout_thins_the_weights_and_scales_the_rest(backend):
    dropout, seen = Dropout(0.5, seed=0), []
    query = Parameter(QUERY)

    def loss():
        out = weights_of(query.value, KEY, dropout=dropout)
        seen.append(np.asarray(optshare.ops.stop_gradient(out)))
        return out.sum()

    optshare.gradient(loss, wrt=query)
    whole, (thin,) = weights_of(QUERY, KEY), seen
    zeros = thin == 0
    assert 0.3 < zeros.mean() < 0.7
    np.testing.assert_allclose(thin[~zeros], 2 * whole[~zeros], rtol=1e-13)


@pytest.mark.parametrize(
    ("arrays", "essence"),
    [
        ((QUERY[..., :4], KEY, VALUE), "query (2, 3, 4, 4), key (2, 3, 6, 5), value (2, 3, 6, 7)"),
        ((QUERY, KEY[:, :, :5], VALUE), "key (2, 3, 5, 5), value (2, 3, 6, 7)"),
        ((QUERY, KEY[:1, :2], VALUE), "key (1, 2, 6, 5)"),
        ((QUERY[0, 0, 0], KEY, VALUE), "query (5,)"),
        ((QUERY, KEY[:, :, :0], VALUE[:, :, :0]), "at least one feature and one key"),
        ((QUERY[..., :0], KEY[..., :0], VALUE), "at least one feature and one key"),
        ((QUERY.astype(int), KEY, VALUE), "query must be an array of real numbers, not an array"),
        ((QUERY, KEY.astype(complex), VALUE), "key must be an array of real numbers, not an array"),
        ((QUERY, KEY, VALUE.tolist()), "value must be an array of real numbers, not a list"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_shapes(arrays, essence):
    with pytest.raises(DataError, match=re.escape(essence)):
        attention(*arrays)


@pytest.mark.parametrize(
    ("mask", "essence"),
    [
        (np.ones((4, 5), bool), "mask of shape (4, 5) does not broadcast to"),
        (np.ones((4, 5), bool), "(batch, heads, queries, keys) = (2, 3, 4, 6)"),
        (np.ones((1, 2, 3, 4, 6), bool), "mask of shape (1, 2, 3, 4, 6)"),
        (np.ones((), bool), "mask of shape ()"),
        (np.ones((4, 6), int), "not an array of int64; write mask != 0"),
        (
            np.ones((4, 6), complex),
            "floating numbers to add to the scores, not an array of complex",
        ),
        ([[True] * 6] * 4, "not a list"),
        (True, "not a bool"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, essence):
    with pytest.raises(DataError, match=re.escape(essence)):
        attention(QUERY, KEY, VALUE, mask=mask)
