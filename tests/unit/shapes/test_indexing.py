"""Indexing without numbers gives what NumPy gives, for any index."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optshare.errors import NoNumbersError
from optshare.shapes import Shaped, ops
from tests.unit.shapes.agreement import described

SHAPE = (3, 4, 2, 5)
KINDS = ["array", "list", "int", "slice", "new", "mask", "...", "end"]


def assert_indexed(x, index, bare_index=None):
    found = Shaped(x.shape, x.dtype)[index if bare_index is None else bare_index]
    assert described(found) == described(x[index])


@given(st.data())
def test_a_basic_index(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    x = np.zeros(shape, np.float32)
    assert_indexed(x, data.draw(hnp.basic_indices(shape, allow_newaxis=True)))


@given(st.data())
def test_an_index_of_integer_arrays(data):
    index = data.draw(hnp.integer_array_indices(SHAPE, dtype=np.dtype(int)))
    x = np.zeros(SHAPE)
    assert_indexed(x, index)
    assert_indexed(x, index, tuple(Shaped(each.shape, each.dtype) for each in index))


def members(data):
    """Some members of an index of any kind, each right for its axis."""
    place, found, dots = 0, [], False
    rows = data.draw(hnp.array_shapes(max_dims=2, max_side=3))
    while place < len(SHAPE):
        kind = data.draw(st.sampled_from(KINDS))
        n = SHAPE[place]
        if kind == "end" or (kind == "..." and dots):
            break
        if kind == "array":
            found.append(data.draw(hnp.arrays(int, rows, elements=st.integers(-n, n - 1))))
        elif kind == "list":
            found.append(data.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=1)))
        elif kind == "int":
            found.append(data.draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            found.append(data.draw(st.slices(n)))
        elif kind == "mask":
            mask = np.zeros(SHAPE[place : place + data.draw(st.integers(0, 2))], bool)
            mask.flat[:1] = True
            found.append(mask)
            place += mask.ndim - 1
        elif kind == "...":
            found.append(...)
            dots = True
        else:
            found.append(None)
        place += kind not in ("new", "...")
    return tuple(found)


@given(st.data())
@settings(max_examples=400)
def test_an_index_of_members_of_all_kinds(data):
    x, index = np.zeros(SHAPE, np.int16), members(data)
    try:
        wanted = described(x[index])
    except IndexError:
        with pytest.raises(IndexError):
            Shaped(x.shape, x.dtype)[index]
    else:
        assert described(Shaped(x.shape, x.dtype)[index]) == wanted


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), [0, 1], ..., [0, 1]),
        (0, slice(None), [0, 1]),
        ([0, 1], 0),
        np.int64(2),
        True,
        np.False_,
        [True, False, True],
        np.ones((3, 4), bool),
        np.zeros(SHAPE, bool),
        np.array(1),
    ],
)
def test_an_index_with_a_rule_of_its_own(index):
    assert_indexed(np.zeros(SHAPE), index)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (3, "out of bounds"),
        ([0, 3], r"index 3 is out of range for axis 0 of an array of shape \(3, 4, 2, 5\)"),
        ((0, [-5]), "index -5 is out of range for axis 1"),
        (([0], 9), "index 9 is out of range for axis 1"),
        ((0, 0, 0, 0, 0), "too many indices"),
        ((0, 0, 0, 0, [0]), "an index of 5 axes is too much"),
        (([0, 1], [0, 1, 2]), r"index arrays of the shapes \(2,\) and \(3,\) do not broadcast"),
        (np.ones(4, bool), r"a mask of shape \(4,\) on an array of shape"),
        ([0.5], "integers or truths, not float64"),
        ("a", "only integers"),
    ],
)
def test_a_wrong_index_is_refused(index, said):
    with pytest.raises(IndexError):
        np.zeros(SHAPE)[index]
    with pytest.raises(IndexError, match=said):
        Shaped(SHAPE, "f4")[index]


def test_a_mask_without_numbers_is_refused_with_the_fix():
    x = Shaped((3, 4), "f4")
    with pytest.raises(NoNumbersError, match=r"ops\.where\(mask, x, 0\)"):
        x[x > 0]
    with pytest.raises(NoNumbersError, match="depends on numbers"):
        x[0, x[0] > 0]


@given(st.data())
def test_a_reduction_over_any_axes(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape)))
    keepdims = data.draw(st.booleans())
    x = np.zeros(shape, np.float32)
    for name in ("sum", "prod", "any"):
        wanted = getattr(np, name)(x, axis=axis, keepdims=keepdims)
        found = getattr(ops, name)(Shaped(shape, "f4"), axis=axis, keepdims=keepdims)
        assert described(found) == described(wanted)


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0))
def test_any_shapes_that_broadcast(shapes):
    x, y, z = (np.zeros(each, np.float32) for each in shapes.input_shapes)
    a, b, c = (Shaped(each, "f4") for each in shapes.input_shapes)
    assert described(a + b * c) == described(x + y * z)
    assert described(ops.where(a > 0, b, c)) == described(np.where(x > 0, y, z))


@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, min_side=0, max_dims=2))
def test_any_shapes_of_a_product(shapes):
    x, y = (np.zeros(each, np.float32) for each in shapes.input_shapes)
    found = Shaped(x.shape, "f4") @ Shaped(y.shape, "f4")
    assert described(found) == described(x @ y)
