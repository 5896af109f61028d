"""Reshaping, permuting and joining, on both engines."""

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from optshare_arrays import ops

X = np.linspace(-1.0, 2.0, 24).reshape(2, 3, 4)

CASES = {
    "reshape": (lambda x: ops.reshape(x, (4, -1)), lambda x: anp.reshape(x, (4, -1))),
    "reshape to one axis": (lambda x: ops.reshape(x, -1), lambda x: anp.reshape(x, -1)),
    "permute_dims": (
        lambda x: ops.permute_dims(x, (2, 0, 1)),
        lambda x: anp.transpose(x, (2, 0, 1)),
    ),
    "permute_dims from the end": (
        lambda x: ops.permute_dims(x, (-1, -3, -2)),
        lambda x: anp.transpose(x, (2, 0, 1)),
    ),
    "matrix_transpose": (ops.matrix_transpose, lambda x: anp.swapaxes(x, 1, 2)),
    "expand_dims": (lambda x: ops.expand_dims(x, axis=1), lambda x: x[:, None]),
    "expand_dims at the end": (lambda x: ops.expand_dims(x, axis=-1), lambda x: x[..., None]),
    "expand_dims twice": (
        lambda x: ops.expand_dims(x, axis=(0, -1)),
        lambda x: x[None, ..., None],
    ),
    "squeeze": (lambda x: ops.squeeze(x[:, :1], axis=1), lambda x: x[:, 0]),
    "squeeze several": (
        lambda x: ops.squeeze(x[:1, :, -1:], axis=(0, -1)),
        lambda x: x[0, :, -1],
    ),
    "squeeze all": (lambda x: ops.squeeze(x[:1, :, :1]), lambda x: x[0, :, 0]),
    "broadcast_to": (
        lambda x: ops.broadcast_to(x, (5, 2, 3, 4)),
        lambda x: x + np.zeros((5, 1, 1, 1)),
    ),
    "broadcast_to along an axis": (
        lambda x: ops.broadcast_to(x[:, :1], (2, 3, 4)),
        lambda x: x[:, :1] + np.zeros((1, 3, 1)),
    ),
    "concat": (
        lambda x: ops.concat([x, 2 * x[:, :1], X], axis=1),
        lambda x: anp.concatenate([x, 2 * x[:, :1], X], axis=1),
    ),
    "concat from the end": (
        lambda x: ops.concat([x, x], axis=-1),
        lambda x: anp.concatenate([x, x], axis=-1),
    ),
    "concat flattened": (
        lambda x: ops.concat([x, x[0]], axis=None),
        lambda x: anp.concatenate([x.ravel(), x[0].ravel()]),
    ),
    "concat with an empty part": (
        lambda x: ops.concat([x[:0], x, x[:, :0].reshape((0, 3, 4))], axis=0),
        lambda x: 1.0 * x,
    ),
    "stack": (lambda x: ops.stack([x[0], x[1], x[0]]), lambda x: anp.stack([x[0], x[1], x[0]])),
    "stack at the end": (
        lambda x: ops.stack([x[0], 3 * x[1]], axis=-1),
        lambda x: anp.stack([x[0], 3 * x[1]], axis=-1),
    ),
    "roll": (lambda x: ops.roll(x, 2, axis=1), lambda x: anp.roll(x, 2, axis=1)),
    "roll back": (lambda x: ops.roll(x, -5, axis=-1), lambda x: anp.roll(x, -5, axis=-1)),
    "roll flattened": (lambda x: ops.roll(x, 7), lambda x: anp.roll(x, 7)),
    "roll along two axes": (
        lambda x: ops.roll(x, (1, -2), axis=(0, 2)),
        lambda x: anp.roll(anp.roll(x, 1, axis=0), -2, axis=2),
    ),
    "flip": (ops.flip, lambda x: x[::-1, ::-1, ::-1]),
    "flip along an axis": (lambda x: ops.flip(x, axis=-2), lambda x: x[:, ::-1]),
    "flip along two axes": (lambda x: ops.flip(x, axis=(0, -1)), lambda x: x[::-1, :, ::-1]),
    "asarray": (ops.asarray, lambda x: 1.0 * x),
    "T": (lambda x: x.T, lambda x: anp.transpose(x)),
    "mT": (lambda x: x.mT, lambda x: anp.swapaxes(x, 1, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_of_shape_agrees_with_autograd(name, derivatives):
    ours, reference = CASES[name]
    derivatives.agree(lambda x: ours(x) ** 3, lambda x: reference(x) ** 3, X)


@pytest.mark.parametrize("name", CASES)
def test_a_change_of_shape_keeps_float32(name, engine):
    ours, _ = CASES[name]
    x = X.astype(np.float32)
    gradient = engine.grad(lambda a: ops.sum(ours(a) * np.float64(3)))(x)
    assert (gradient.dtype, gradient.shape) == (np.float32, x.shape)
    assert gradient.flags.writeable


@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed", "broadcast", "Fortran"])
def test_an_argument_need_not_be_contiguous(layout, engine):
    base = np.arange(24.0).reshape(4, 6)
    x = {
        "transposed": base.T,
        "strided": base[::2, 1::2],
        "reversed": base[::-1, ::-1],
        "broadcast": np.broadcast_to(base[0], (3, 6)),
        "Fortran": np.asfortranarray(base),
    }[layout]
    before = x.copy()
    gradient = engine.grad(lambda a: (ops.reshape(a, -1) ** 2).sum())(x)
    np.testing.assert_array_equal(gradient, 2 * before)
    np.testing.assert_array_equal(x, before)
    assert gradient.flags.writeable
    assert not np.shares_memory(gradient, x)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3, 2)])
def test_an_empty_array_may_be_reshaped(shape, engine):
    def f(x):
        joined = ops.concat([ops.reshape(x, (0,)), ops.roll(ops.flip(ops.reshape(x, 0)), 1)])
        return ops.sum(joined)

    assert engine.grad(f)(np.zeros(shape)).shape == shape


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ops.expand_dims(x, axis=4),
        lambda x: ops.expand_dims(x, axis=(0, 0)),
        lambda x: ops.squeeze(x, axis=3),
        lambda x: ops.squeeze(x[:, :1], axis=(1, 1)),
        lambda x: ops.permute_dims(x, (0, 1, 3)),
        lambda x: ops.permute_dims(x, (0, 1)),
        lambda x: ops.permute_dims(x, (0, 1, 1)),
        lambda x: ops.flip(x, axis=3),
        lambda x: ops.flip(x, axis=(0, -3)),
        lambda x: ops.roll(x, 1, axis=3),
        lambda x: ops.concat([x, x], axis=3),
        lambda x: ops.stack([x, x], axis=-5),
        lambda x: ops.matrix_transpose(x[0, 0]),
        lambda x: ops.squeeze(x, axis=0),
        lambda x: ops.reshape(x, (5, -1)),
        lambda x: ops.broadcast_to(x, (2, 3, 5)),
    ],
)
def test_a_shape_or_axis_that_does_not_fit_raises(f, engine):
    with pytest.raises((ValueError, IndexError)):
        f(X)
    with pytest.raises((ValueError, IndexError)):
        engine.grad(lambda x: ops.sum(f(x)))(X)


def test_astype_keeps_the_gradient_in_the_arguments_dtype(engine):
    x = np.array([0.1, 0.2], np.float32)
    gradient = engine.grad(lambda a: (ops.astype(a, np.float64) ** 2).sum())(x)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, 2 * x)
    narrowed = engine.grad(lambda a: (ops.asarray(a, np.float32) * 3).sum())(np.ones(2))
    assert narrowed.dtype == np.float64
    np.testing.assert_array_equal(narrowed, [3.0, 3.0])


def test_a_cast_to_integers_has_no_gradient(engine):
    x = np.array([1.2, 2.7])
    np.testing.assert_array_equal(ops.astype(x, np.int64), [1, 2])
    gradient = engine.grad(lambda a: (a * ops.astype(a, np.int64) * 2.5).sum())(x)
    np.testing.assert_array_equal(gradient, [2.5, 5.0])


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (ops.zeros_like, 0.0),
        (ops.ones_like, 1.0),
        (lambda x: ops.full_like(x, 2.5), 2.5),
        (ops.stop_gradient, X),
    ],
)
def test_what_is_made_like_an_array_is_a_constant(f, expected, engine):
    np.testing.assert_array_equal(f(X), np.broadcast_to(expected, X.shape))
    gradient = engine.grad(lambda x: ops.sum(x * f(x)))(X)
    np.testing.assert_array_equal(gradient, np.broadcast_to(expected, X.shape))


def test_full_like_is_differentiable_by_its_number(engine):
    gradient = engine.grad(lambda x: ops.sum(ops.full_like(X, x) * X))(2.0)
    np.testing.assert_allclose(gradient, X.sum(), rtol=1e-15)
    summed = engine.grad(lambda x: ops.sum(np.full_like(x, x[0] * 3)))(np.ones(4, np.float32))
    assert summed.dtype == np.float32
    np.testing.assert_array_equal(summed, [12.0, 0.0, 0.0, 0.0])


def test_arange_and_asarray_make_plain_arrays():
    np.testing.assert_array_equal(ops.arange(3), [0, 1, 2])
    np.testing.assert_array_equal(ops.asarray([1, 2], np.float32), np.array([1, 2], np.float32))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ops.concat([[5.0], x]),
        lambda x: ops.concat([x, [5.0]]),
        lambda x: ops.stack([x[0], 5.0]),
    ],
)
def test_numbers_and_lists_may_stand_beside_tracked_values(f, engine):
    gradient = engine.grad(lambda x: ops.sum(f(x) * 2))(np.array([1.0]))
    np.testing.assert_array_equal(gradient, [2.0])


@settings(deadline=None, max_examples=50)
@given(st.data(), npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_a_gradient_undoes_any_chain_of_reshapes(data, shape):
    import optshare_functional
    import optshare_tape

    order = data.draw(st.permutations(range(len(shape))))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    x = np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape)

    def f(a):
        moved = ops.permute_dims(a, tuple(order))
        return ops.sum(ops.squeeze(ops.expand_dims(ops.reshape(moved, (x.size,)), 0), 0) ** 2)

    for engine in (optshare_tape, optshare_functional):
        gradient = engine.grad(f)(x)
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, 2 * x)
