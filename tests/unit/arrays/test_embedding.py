"""`ops.nn.embedding`, and the sum of the gradients of rows taken several times."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optshare.extend import complete
from optshare_arrays import indexing, ops
from optshare_functional import grad

WEIGHT = np.random.default_rng(0).normal(size=(7, 3))
INDICES = {
    "repeats": np.array([2, 0, 2, 6, 2]),
    "two axes": np.array([[1, 5], [5, 1], [0, 0]]),
    "three axes": np.arange(7).reshape(1, 7, 1),
    "a number": np.array(4),
    "none": np.zeros((0,), int),
    "int32": np.array([3, 3], np.int32),
    "uint8": np.array([6, 0], np.uint8),
    "every other": np.arange(7)[::2],
}


@pytest.mark.parametrize("name", INDICES)
def test_value_and_gradient_are_torchs(name, engine, close):
    indices = INDICES[name]
    tensor = torch.tensor(WEIGHT, requires_grad=True)
    out = torch.nn.functional.embedding(torch.tensor(indices.astype(np.int64)), tensor)
    weights = np.random.default_rng(1).normal(size=tuple(out.shape))
    (out * torch.tensor(weights)).sum().backward()
    close(ops.nn.embedding(indices, WEIGHT), out.detach().numpy())
    (g,) = engine.gradient(lambda w: ops.sum(ops.nn.embedding(indices, w) * weights), WEIGHT)
    close(g, tensor.grad.numpy())


def test_second_derivatives_are_autograds(derivatives):
    indices = INDICES["repeats"]
    derivatives.agree(
        lambda w: ops.nn.embedding(indices, w) ** 3, lambda w: w[indices] ** 3, WEIGHT
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_is_kept(dtype, engine):
    weight = WEIGHT.astype(dtype)
    assert ops.nn.embedding(INDICES["repeats"], weight).dtype == dtype
    (g,) = engine.gradient(lambda w: ops.sum(ops.nn.embedding(INDICES["repeats"], w)), weight)
    assert g.dtype == dtype
    assert g[:, 0].tolist() == [1, 0, 3, 0, 0, 0, 1]


@pytest.mark.parametrize("nn", [ops.nn, complete(np).nn], ids=["engine", "numpy"])
@pytest.mark.parametrize(("wrong", "named"), [([0, 7], "7"), ([3, -1], "-1"), ([-8, 9], "-8")])
def test_an_index_out_of_range_is_named(nn, wrong, named):
    with pytest.raises(IndexError, match=f"index {named} is out of range; there are 7 rows"):
        nn.embedding(np.array(wrong), WEIGHT)


@pytest.mark.parametrize("wrong", [np.array([1.0, 2.0]), np.array([True])])
def test_indices_that_are_no_integers_are_named(wrong):
    with pytest.raises(TypeError, match=f"indices must be integers, not {wrong.dtype}"):
        ops.nn.embedding(wrong, WEIGHT)


def test_a_weight_without_two_axes_is_named():
    with pytest.raises(ValueError, match=r"shape \(7,\); it must be \(count, features\)"):
        ops.nn.embedding(np.array([0]), WEIGHT[:, 0])


def test_a_list_of_integers_is_taken():
    np.testing.assert_array_equal(ops.nn.embedding([2, 2], WEIGHT), WEIGHT[[2, 2]])


# -- rows ------------------------------------------------------------------------------------


@given(
    count=st.integers(1, 6),
    width=st.lists(st.integers(0, 3), max_size=2),
    rows=st.lists(st.integers(-6, 5), max_size=20),
    chunk=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_rows_taken_several_times_sum_their_gradients(count, width, rows, chunk):
    index = np.array(rows, int) % count - (count if sum(rows) % 2 else 0)  # from the end, too
    x = np.zeros((count, *width))
    g = np.random.default_rng(0).normal(size=(len(rows), *width))
    expected = np.zeros_like(x)
    np.add.at(expected, index, g)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexing, "_CHUNK", chunk)
        found = grad(lambda x: ops.sum(x[index] * g))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-14)


def test_a_cotangent_in_another_memory_layout_is_summed(engine, close):
    index, g = np.array([1, 1, 4]), np.arange(9.0).reshape(3, 3)
    expected = np.zeros_like(WEIGHT)
    np.add.at(expected, index, g)
    turned = np.asfortranarray(g)
    close(engine.gradient(lambda w: ops.sum(w[index].T * turned.T), WEIGHT)[0], expected)


def test_rows_of_a_weight_that_is_not_contiguous(engine, close):
    weight = np.asfortranarray(WEIGHT)
    (g,) = engine.gradient(lambda w: ops.sum(w[np.array([1, 1, 4])] ** 2), weight)
    expected = np.zeros_like(WEIGHT)
    expected[1], expected[4] = 4 * WEIGHT[1], 2 * WEIGHT[4]
    close(g, expected)


def test_truths_and_pairs_of_indices_still_take_elements(derivatives):
    mask, pair = np.array([1, 0, 0, 1, 0, 0, 1], bool), (np.array([1, 1]), np.array([0, 0]))
    derivatives.agree(lambda w: w[mask] ** 2, lambda w: w[mask] ** 2, WEIGHT)
    derivatives.agree(lambda w: w[pair] ** 2, lambda w: w[pair] ** 2, WEIGHT)
