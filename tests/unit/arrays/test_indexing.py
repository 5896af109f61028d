"""Indexing: basic, boolean and integer, with repeats, on both engines."""

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from optshare_arrays import ops

X = np.linspace(-1.0, 2.0, 24).reshape(2, 3, 4)
MASK = X > 0.3

INDICES = {
    "an integer": 1,
    "an integer from the end": -1,
    "a NumPy integer": np.int64(1),
    "a full index": (1, 2, 3),
    "a slice": (slice(None), slice(1, None)),
    "a step": (slice(None, None, -1), slice(None), slice(None, None, 2)),
    "an empty slice": (slice(0, 0),),
    "an ellipsis": (Ellipsis, 2),
    "a new axis": (slice(None), None, 1),
    "everything": (),
    "a boolean mask": MASK,
    "a mask of the first axis": np.array([True, False]),
    "a mask without a hit": np.zeros(X.shape, bool),
    "a mask and a slice": (np.array([False, True]), slice(1, 3)),
    "a list": [1, 0, 1],
    "an array": np.array([[0, 1], [1, 1]]),
    "an array and an integer": (np.array([1, 1, 0]), 2),
    "arrays that broadcast": (np.array([[0], [1]]), np.array([[2, 2, 0]])),
    "arrays apart": (np.array([0, 0]), slice(None), np.array([3, 3])),
    "arrays apart, lists": ([0, 0], slice(None), [3, 1]),
    "no entries": np.zeros(0, int),
    "a 0-d array": np.array(1),
    "a Python boolean": True,
    "from the end, repeated": (Ellipsis, np.array([-1, 3, -1])),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_agrees_with_autograd(name, derivatives):
    index = INDICES[name]
    derivatives.agree(lambda x: x[index] ** 3, lambda x: x[index] ** 3, X)


def test_an_element_taken_twice_receives_the_sum_of_its_gradients(engine):
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    gradient = engine.grad(lambda x: (x[np.array([0, 2, 0, -3])] * weights).sum())(np.zeros(3))
    np.testing.assert_array_equal(gradient, [1101.0, 0.0, 10.0])


def test_an_element_taken_twice_in_second_derivatives(engine):
    def f(x):
        return (x[[0, 0, 1]] ** 3).sum()

    second = engine.grad(lambda x: ops.sum(engine.grad(f)(x)))(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(second, [12.0, 12.0])


def test_an_index_may_be_computed_from_tracked_values(engine):
    gradient = engine.grad(lambda x: (x[x > 0] ** 2).sum() + x[ops.argmax(x)])(
        np.array([-1.0, 2.0, 3.0])
    )
    np.testing.assert_array_equal(gradient, [0.0, 4.0, 7.0])


def test_an_index_out_of_bounds_raises(engine):
    for index in (3, (0, -4), np.array([0, 9])):
        with pytest.raises(IndexError):
            engine.grad(lambda x, index=index: ops.sum(x[index]))(np.zeros(3).reshape(3))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("indices", [np.array([1, 0, 1, 1]), np.array([[0, 1], [-1, 0]]), 1, []])
def test_take_agrees_with_numpy_and_autograd(axis, indices, derivatives):
    places = np.asarray(indices, int)
    expected = np.take(X, places, axis=axis)
    np.testing.assert_array_equal(ops.take(X, places, axis=axis), expected)
    where = (slice(None),) * (axis % 3) + (places,)
    derivatives.agree(lambda x: ops.take(x, places, axis=axis) ** 3, lambda x: x[where] ** 3, X)


def test_take_without_an_axis_counts_through_the_whole_array(derivatives):
    places = np.array([[23, 0], [5, 23]])
    np.testing.assert_array_equal(ops.take(X, places), np.take(X, places))
    derivatives.agree(
        lambda x: ops.take(x, places) ** 2, lambda x: anp.reshape(x, -1)[places] ** 2, X
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis_agrees_with_numpy_and_its_definition(axis, derivatives):
    order = np.argsort(np.sin(37 * X), axis=axis)
    np.testing.assert_array_equal(
        ops.take_along_axis(X, order, axis=axis), np.take_along_axis(X, order, axis=axis)
    )
    mesh = list(np.ogrid[:2, :3, :4])
    mesh[axis] = order
    where = tuple(mesh)
    derivatives.agree(
        lambda x: ops.take_along_axis(x, order, axis=axis) ** 3, lambda x: x[where] ** 3, X
    )


def test_take_along_axis_takes_fewer_and_repeated_places(engine):
    places = np.array([[[3, 3]], [[0, 1]]])
    expected = np.take_along_axis(X, places, axis=2)
    np.testing.assert_array_equal(ops.take_along_axis(X, places, axis=2), expected)
    gradient = engine.grad(lambda x: ops.take_along_axis(x, places, axis=2).sum())(X)
    np.testing.assert_array_equal(gradient[0], [[0, 0, 0, 2]] * 3)
    np.testing.assert_array_equal(gradient[1], [[1, 1, 0, 0]] * 3)


@pytest.mark.parametrize("f", [ops.take, ops.take_along_axis])
def test_taking_refuses_an_axis_that_is_not_there(f, engine):
    places = np.zeros((2, 3, 4), int)
    with pytest.raises(np.exceptions.AxisError):
        f(X, places, axis=3)
    with pytest.raises(np.exceptions.AxisError):
        engine.grad(lambda x: ops.sum(f(x, places, axis=-4)))(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", INDICES)
def test_an_index_keeps_the_dtype_and_gives_a_writable_gradient(name, dtype, engine):
    x = X.astype(dtype)
    x.flags.writeable = False
    gradient = engine.grad(lambda a: ops.sum(a[INDICES[name]] * np.float64(2)))(x)
    assert (gradient.dtype, gradient.shape) == (dtype, x.shape)
    assert gradient.flags.writeable


def test_a_tracked_value_is_iterated_by_its_first_axis(engine):
    gradient = engine.grad(lambda x: sum((i + 1) * row.sum() for i, row in enumerate(x)))(X[0])
    np.testing.assert_array_equal(gradient, np.repeat([[1.0], [2.0], [3.0]], 4, axis=1))
    with pytest.raises(TypeError):
        engine.grad(lambda x: sum(x))(1.0)


def test_a_tracked_value_is_unpacked(engine):
    def f(x):
        a, b = x
        return a * b

    np.testing.assert_array_equal(engine.grad(f)([2.0, 3.0]), [3.0, 2.0])


@settings(deadline=None, max_examples=60)
@given(st.data(), npst.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_any_index_scatters_the_gradient_back(data, shape):
    import optshare_functional
    import optshare_tape

    index = data.draw(
        npst.basic_indices(shape, allow_newaxis=True)
        | npst.integer_array_indices(shape)
        | npst.arrays(bool, shape)
    )
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    x = np.arange(1, 1 + np.prod(shape), dtype=dtype).reshape(shape)
    expected = np.zeros(shape, dtype)
    np.add.at(expected, index, x[index])
    for engine in (optshare_tape, optshare_functional):
        gradient = engine.grad(lambda a: ops.sum(a[index] ** 2) / 2)(x)
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, expected)
