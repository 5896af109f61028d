"""HIPS autograd behind the door: functions, derivatives, training, and what it must not disturb."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import optshare
from optshare import Parameter, registry
from optshare.errors import (
    DifferentiationError,
    EscapedValueError,
    NonScalarLossError,
    UnreachedParametersError,
)
from optshare.namespace.protocol import NN, Namespace
from tests.unit.closeness import assert_close

X = np.array([[0.5, -1.5, 2.0], [0.25, 3.0, -0.75]])
Y = np.array([[1.25, -1.5, 0.5], [-2.0, 3.0, 0.125]])
P = np.array([[0.5, 1.5, 2.0], [0.25, 3.0, 0.75]])  # positive
U = np.array([[0.5, -0.25, 0.125], [0.75, -0.5, 0.0]])  # inside (-1, 1)
Z = np.array([[0.0, -1.5, 2.0], [0.0, 3.0, -0.75]])  # with kinks
ROW, COLUMN, NUMBER = Y[:1] + 3, P[:, :1], np.array(1.75)
BATCH = np.linspace(-1, 1, 24).reshape(2, 3, 4)
TIES = np.array([[1.0, 3.0, 3.0], [3.0, -2.0, 3.0]])
ZEROS = np.array([[2.0, 0.0, 3.0], [0.0, 5.0, 0.0]])
INDICES = np.array([0, 2, 2])


@pytest.fixture
def engine():
    """The backend, preferred in this context."""
    with optshare.use("autograd"):
        yield registry.load("autograd")


def of(name, *arrays, **options):
    """One call of a function of ops."""
    label = f"{name} {' '.join(str(np.shape(each)) for each in arrays)} {options or ''}"
    return pytest.param(lambda ops, *xs: getattr(ops, name)(*xs, **options), arrays, id=label)


def by(label, call, *arrays):
    return pytest.param(call, arrays, id=label)


UNARY = {
    "abs": X, "acos": U, "acosh": P + 1, "asin": U, "asinh": X, "atan": X, "atanh": U, "cos": X,
    "cosh": X, "exp": X, "expm1": X, "log": P, "log10": P, "log1p": P, "log2": P, "negative": X,
    "positive": X, "reciprocal": X, "sin": X, "sinh": X, "sqrt": P, "square": X, "tan": U,
    "tanh": X,
}  # fmt: skip
BINARY = {
    "add": X, "atan2": X, "divide": X, "hypot": X, "logaddexp": X, "maximum": X, "minimum": X,
    "multiply": X, "pow": P, "subtract": X,
}  # fmt: skip
REDUCING = {
    "logsumexp": X, "max": TIES, "mean": X, "min": -TIES, "prod": ZEROS, "std": X, "sum": X,
    "var": X,
}  # fmt: skip
WINDOWED = {
    "conv": lambda ops, x: ops.nn.conv(
        ops.reshape(x, (1, 2, 3)), ops.reshape(x * x, (3, 2, 1)), stride=2, padding=1
    ),
    "conv_transpose": lambda ops, x: ops.nn.conv_transpose(
        ops.reshape(x, (1, 2, 3)), ops.reshape(x * x, (2, 1, 3)), stride=2, groups=2
    ),
    "max_pool": lambda ops, x: ops.nn.max_pool(ops.reshape(x, (1, 1, 2, 3)), 2, stride=1),
    "mean_pool": lambda ops, x: ops.nn.mean_pool(ops.reshape(x, (1, 1, 2, 3)), 2, padding=1),
}
SEVERAL = {"cross_entropy", "embedding", "gru", "lstm"}
"""What takes more than one array."""
NEURAL = sorted(set(NN.__annotations__) - SEVERAL - set(WINDOWED))

CALLS = [
    *(of(name, array) for name, array in UNARY.items()),
    *(of(name, np.array(array.flat[0])) for name, array in UNARY.items()),
    *(of(name, left, right) for name, left in BINARY.items() for right in (Y, ROW, NUMBER)),
    *(of(name, COLUMN, ROW) for name in BINARY),
    *(by(f"{name} and a number", lambda ops, x, name=name: getattr(ops, name)(x, 1.5), array)
      for name, array in BINARY.items()),
    *(of(name, array, axis=axis, keepdims=keepdims)
      for name, array in REDUCING.items() for axis in (None, 0, -1, (0, 1), (-1, 0))
      for keepdims in (False, True)),
    *(of(name, NUMBER) for name in REDUCING if name != "std"),
    *(of(name, BATCH, axis=(0, 2)) for name in REDUCING),
    *(by(f"nn.{name}", lambda ops, x, name=name: getattr(ops.nn, name)(x), Z)
      for name in NEURAL),
    *(by(f"nn.{name}", call, X) for name, call in WINDOWED.items()),
    by("nn.max_pool of ties", WINDOWED["max_pool"], TIES),
    by("nn.softmax of an axis", lambda ops, x: ops.nn.softmax(x, axis=0), X),
    of("abs", Z),
    of("hypot", Z, np.zeros(3)),
    of("var", X, axis=1, correction=1),
    of("std", X, axis=0, correction=1.0, keepdims=True),
    of("std", np.ones((2, 3)), axis=1),
    of("pow", np.abs(Z), np.array(2.0)),
    by("pow to a whole number", lambda ops, x: ops.pow(x, 3), Z),
    by("pow of a number", lambda ops, x: ops.pow(2.0, x), X),
    by("pow to nothing", lambda ops, x: ops.pow(x, 0), Z),
    by("pow of its operator", lambda ops, x: x**2, Z),
    by("clip", lambda ops, x: ops.clip(x, -1.5, 2.0), X),
    by("clip from below", lambda ops, x: ops.clip(x, min=0.25), X),
    by("clip from above", lambda ops, x: ops.clip(x, max=0.25), X),
    of("clip", X, ROW - 4, ROW),
    by("where", lambda ops, x, y: ops.where(x > y, x, y), X, Y),
    by("where that broadcasts", lambda ops, x, y: ops.where(X > 0, x, y), ROW, NUMBER),
    by("where with a number", lambda ops, x: ops.where(x > 0, x, 2.0), X),
    of("cumulative_sum", X, axis=0),
    of("cumulative_sum", X, axis=-1),
    of("cumulative_sum", X, axis=1, include_initial=True),
    of("cumulative_sum", X[0]),
    by("broadcast_to", lambda ops, x: ops.broadcast_to(x, (4, 2, 3)), X),
    by("broadcast_to from ones", lambda ops, x: ops.broadcast_to(x, (2, 2, 3)), COLUMN),
    by("broadcast_to of a number", lambda ops, x: ops.broadcast_to(x, (2, 3)), NUMBER),
    by("concat", lambda ops, x, y: ops.concat([x, y]), X, ROW),
    by("concat along the last axis", lambda ops, x, y: ops.concat((x, y, x), axis=-1), X, COLUMN),
    by("concat flattened", lambda ops, x, y: ops.concat([x, y], axis=None), X, ROW),
    by("stack", lambda ops, x, y: ops.stack([x, y]), X, Y),
    by("stack at the end", lambda ops, x, y: ops.stack([x, y], axis=-1), X, Y),
    by("stack of numbers", lambda ops, x: ops.stack([x, x * x]), NUMBER),
    of("expand_dims", X),
    of("expand_dims", X, axis=-1),
    of("expand_dims", X, axis=(0, 2)),
    of("flip", X),
    of("flip", X, axis=0),
    of("flip", BATCH, axis=(0, -1)),
    of("matrix_transpose", BATCH),
    by("permute_dims", lambda ops, x: ops.permute_dims(x, (2, 0, 1)), BATCH),
    by("permute_dims from the end", lambda ops, x: ops.permute_dims(x, (-1, 0, -2)), BATCH),
    by("reshape", lambda ops, x: ops.reshape(x, (3, -1)), X),
    by("reshape to one axis", lambda ops, x: ops.reshape(x, (-1,)), BATCH),
    by("roll", lambda ops, x: ops.roll(x, 2), X),
    by("roll of axes", lambda ops, x: ops.roll(x, (1, -2), axis=(0, 2)), BATCH),
    by("roll of an axis", lambda ops, x: ops.roll(x, -1, axis=1), X),
    of("squeeze", BATCH[:1, :, :1], axis=0),
    of("squeeze", BATCH[:1, :, :1], axis=(0, -1)),
    by("take", lambda ops, x: ops.take(x, INDICES, axis=1), X),
    by("take from the end", lambda ops, x: ops.take(x, INDICES - 1, axis=-1), X),
    by("take of a matrix", lambda ops, x: ops.take(x, INDICES.reshape(1, 3), axis=0), P.T),
    by("take_along_axis",
       lambda ops, x: ops.take_along_axis(x, np.array([[0, 0], [2, 1]]), axis=1), X),
    by("take_along_axis, broadcast",
       lambda ops, x: ops.take_along_axis(x, np.array([[0, 1, 1]]), axis=0), X),
    by("an index", lambda ops, x: x[:, None, ::2] * x[INDICES[:2] - 1, 1:2], X),
    *(of("matmul", left, right) for left, right in (
        (X, P.T), (X, X[0]), (X[:, 0], Y), (X[0], Y[1]), (BATCH, BATCH[0].T), (BATCH, BATCH[0, 0]),
        (BATCH[0], np.swapaxes(BATCH, 1, 2)), (X[0], BATCH), (BATCH[:1], np.swapaxes(BATCH, 1, 2)),
    )),
    *(by(f"tensordot of axes {axes}", lambda ops, x, y, axes=axes: ops.tensordot(x, y, axes=axes),
         left, right)
      for axes, left, right in (
          (1, X, P.T), (2, X, Y), (0, X, Y[0]), (([0, 1], [1, 0]), X, P.T),
          (((-1, 0), (0, 1)), BATCH, BATCH.T[:, :2, :].transpose(0, 2, 1)),
          (((1,), (-1,)), BATCH, X))),
    of("vecdot", X, Y),
    of("vecdot", X, ROW),
    of("vecdot", X, Y, axis=0),
    by("nn.cross_entropy", lambda ops, x: ops.nn.cross_entropy(x, INDICES[:2]), X),
    by("nn.embedding", lambda ops, x: ops.nn.embedding(INDICES.reshape(1, 3), x), P.T),
    by("nn.lstm", lambda ops, x, w, u: ops.nn.lstm(x, w[:2, :2], w[:2, 2:4], w, u, w[0])[0],
       BATCH, np.cos(np.arange(32.0)).reshape(4, 8), np.sin(np.arange(16.0)).reshape(2, 8)),
    by("nn.gru", lambda ops, x, w, u: ops.nn.gru(x, w[:2, :2], w, u, w[0], w[1])[1],
       BATCH, np.cos(np.arange(24.0)).reshape(4, 6), np.sin(np.arange(12.0)).reshape(2, 6)),
    by("scan", lambda ops, x: ops.scan(lambda c, each: (c * each, c - each), x[0], x)[1], X),
    by("asarray", lambda ops, x: ops.asarray(x) * 2.0, X),
    by("stop_gradient", lambda ops, x: x * ops.stop_gradient(x), X),
]  # fmt: skip


def value_of(name, call, arrays):
    """The value on plain arrays."""
    with optshare.use(name):
        return np.asarray(call(registry.load(name).ops, *arrays))


def gradients_of(name, call, arrays, order=1):
    """Gradients of a weighted sum of the value or, of order 2, of the gradients."""
    ops = registry.load(name).ops

    def loss(*xs):
        value = call(ops, *xs)
        weights = np.random.default_rng(0).uniform(0.5, 1.5, value.shape).astype(value.dtype)
        return ops.sum(value * weights)

    def paired(*xs):
        found = optshare.gradient(loss, *xs)
        return sum(ops.sum(g * g * 0.5 + g) for g in found if g is not None)

    with optshare.use(name):
        return optshare.gradient(loss if order == 1 else paired, *arrays)


@pytest.mark.parametrize(("call", "arrays"), CALLS)
def test_a_function_of_ops_has_the_value_and_the_derivatives_of_the_tape(call, arrays):
    kept = [each.copy() for each in arrays]
    assert_close(value_of("autograd", call, arrays), value_of("tape", call, arrays))
    for order in (1, 2):
        found, wanted = (gradients_of(name, call, arrays, order) for name in ("autograd", "tape"))
        for one, other, array in zip(found, wanted, arrays, strict=True):
            assert order == 2 or (one is None) == (other is None)
            one, other = (np.zeros_like(array) if g is None else g for g in (one, other))
            assert_close(one, other)
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(("call", "arrays"), CALLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_function_of_ops_keeps_the_dtype_in_value_and_gradient(dtype, call, arrays):
    narrow = [each.astype(dtype) for each in arrays]
    assert value_of("autograd", call, narrow).dtype == dtype
    wanted = gradients_of("tape", call, narrow)
    for found, other in zip(gradients_of("autograd", call, narrow), wanted, strict=True):
        assert found.dtype == dtype
        assert_close(found, other, rtol=1e-5 if dtype == np.float32 else 2e-2)


def test_every_function_of_the_namespace_is_there(engine):
    for name in Namespace.__annotations__:
        assert callable(getattr(engine.ops, name)) or name in ("nn", "random")
    assert all(callable(getattr(engine.ops.nn, name)) for name in NEURAL)


CONSTANTS = {
    "all": (X > 0,), "any": (X > 0,), "argmax": (X,), "argmin": (X,), "ceil": (X,),
    "equal": (X, Y), "floor": (X,), "greater": (X, Y), "greater_equal": (X, Y), "isfinite": (X,),
    "isinf": (X,), "isnan": (X,), "less": (X, Y), "less_equal": (X, Y), "logical_and": (X, Y),
    "logical_not": (X,), "logical_or": (X, Y), "not_equal": (X, Y), "ones_like": (X,),
    "round": (X,), "sign": (Z,), "trunc": (X,), "zeros_like": (X,), "stop_gradient": (X,),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_function_without_a_derivative_gives_a_constant(name, engine):
    arrays, seen = CONSTANTS[name], []

    def fn(*xs):
        seen.append(getattr(engine.ops, name)(*xs))
        return (xs[0] * 1.0 + np.asarray(seen[0], float)).sum()

    (slope, *_) = optshare.gradient(fn, *(each.astype(float) for each in arrays))
    wanted = getattr(registry.load("tape").ops, name)(*arrays)
    assert isinstance(seen[0], np.ndarray | np.generic)
    np.testing.assert_array_equal(seen[0], wanted)
    assert slope.tolist() == np.ones_like(X).tolist()


def test_creation_and_conversion(engine):
    ops = engine.ops
    assert ops.arange(3).tolist() == [0, 1, 2]
    assert ops.asarray([1, 2], dtype=np.float32).dtype == np.float32
    assert ops.full_like(X, 2.0).tolist() == np.full_like(X, 2.0).tolist()
    assert ops.astype(X, np.int64).dtype == np.int64
    assert ops.is_concrete(X)
    (wide,) = optshare.gradient(lambda x: ops.sum(ops.astype(x, float)), X.astype(np.float32))
    assert wide.dtype == np.float32
    bits = optshare.gradient(lambda x: ops.sum(ops.astype(x, np.int32) * x), X)[0]
    assert bits.tolist() == X.astype(np.int32).tolist()
    assert optshare.gradient(lambda x: ops.asarray([x[0], x[1] * 2]).sum(), X[0])[0].tolist() == [
        1, 2, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        lambda ops, x: ops.sum(x * 2.0),
        lambda ops, x: ops.sum(ops.sum(x, axis=1)),
        lambda ops, x: ops.prod(x) + ops.sum(x),
        lambda ops, x: ops.sum(ops.concat([x, x], axis=1)),
        lambda ops, x: ops.sum(ops.nn.relu(ops.reshape(x, (0,)))),
        lambda ops, x: ops.sum(x @ np.ones((0, 4))),
        lambda ops, x: ops.sum(ops.flip(ops.cumulative_sum(x, axis=1))),
    ],
)
def test_empty_arrays_have_empty_gradients(call, engine):
    value, (found,) = optshare.value_and_gradient(lambda x: call(engine.ops, x), np.zeros((2, 0)))
    assert value == value_of("tape", call, [np.zeros((2, 0))])
    assert found.shape == (2, 0)


# -- kinks and far out ----------------------------------------------------------------------


def slope(f, x):
    return optshare.gradient(lambda x: f(x).sum(), np.asarray(x, float))[0].tolist()


def test_kinks_follow_the_conventions_of_the_project(engine):
    ops = engine.ops
    assert slope(ops.nn.relu, [-1.0, 0.0, 1.0]) == [0.0, 0.0, 1.0]
    assert slope(ops.abs, [-1.0, 0.0, 1.0]) == [-1.0, 0.0, 1.0]
    assert slope(ops.max, [1.0, 3.0, 3.0]) == [0.0, 0.5, 0.5]
    assert slope(lambda x: ops.maximum(x, 1.0), [0.0, 1.0, 2.0]) == [0.0, 0.5, 1.0]
    assert slope(lambda x: ops.minimum(x, 1.0), [0.0, 1.0, 2.0]) == [1.0, 0.5, 0.0]
    assert slope(lambda x: ops.clip(x, 0.0, 2.0), [0.0, 1.0, 2.0, 3.0]) == [0.5, 1.0, 0.5, 0.0]
    assert slope(ops.std, [1.0, 1.0]) == [0.0, 0.0]
    with np.errstate(divide="ignore"):
        assert slope(ops.sqrt, [0.0]) == [np.inf]


def test_far_out_nothing_overflows_or_becomes_nan(engine):
    ops, far = engine.ops, [-1e4, -800.0, 800.0, 1e4]
    assert slope(ops.tanh, far) == [0.0] * 4
    for name in NEURAL:
        assert np.isfinite(slope(getattr(ops.nn, name), far)).all(), name
    assert slope(ops.abs, [-np.inf, np.inf]) == [-1.0, 1.0]
    assert slope(ops.logsumexp, [-np.inf, 0.0]) == [0.0, 1.0]
    assert slope(ops.logsumexp, [-np.inf, -np.inf]) == [0.0, 0.0]
    assert slope(lambda x: ops.logaddexp(x, x), [np.inf]) == [2.0]


# -- vjp and gradient -----------------------------------------------------------------------


def test_what_is_not_reached_is_absent_and_what_is_reached_may_be_zero(engine):
    value, pullback = engine.vjp(lambda x, y, z: x * 0.0 + y.shape[0], X[0], X[0], X[0])
    assert value.tolist() == [3.0] * 3
    found = pullback(np.ones(3))
    assert found[0].tolist() == [0.0] * 3
    assert found[1:] == [None, None]
    p, q = Parameter([1.0]), Parameter([2.0])
    assert list(optshare.gradient(lambda: (p * p).sum(), wrt=[p, q]))[1] is None


@pytest.mark.parametrize("constant", [2.0, np.ones(3)])
def test_a_value_that_is_not_tracked_gives_no_gradient(constant, engine):
    value, pullback = engine.vjp(lambda x, y: constant, X, Y)
    assert value is constant
    assert pullback(np.ones(3)) == [None, None]


def test_a_pullback_can_be_called_again_and_is_linear(engine):
    value, pullback = engine.vjp(lambda x: x * x, X[0])
    one, again, twice = pullback(np.ones(3)), pullback(np.ones(3)), pullback(2 * np.ones(3))
    assert one[0].tolist() == again[0].tolist() == (2 * X[0]).tolist()
    assert twice[0].tolist() == (4 * X[0]).tolist()
    one[0][:] = 0
    assert pullback(np.ones(3))[0].tolist() == again[0].tolist()
    assert value.tolist() == (X[0] ** 2).tolist()


@pytest.mark.parametrize("f", [lambda x, y: x + y, lambda x, y: (x + y)[:2], lambda x, y: x])
def test_gradients_and_values_share_no_memory_with_anything(f, engine):
    x, y = X[0].copy(), Y[0].copy()
    value, pullback = engine.vjp(f, x, y)
    seed = np.ones_like(value)
    arrays = [x, y, seed, value, *(g for g in pullback(seed) if g is not None)]
    for place, each in enumerate(arrays):
        assert not any(np.shares_memory(each, other) for other in arrays[:place])


def test_wrong_seeds_and_values_are_refused(engine):
    _, pullback = engine.vjp(lambda x: x * x, X[0])
    with pytest.raises(DifferentiationError, match=r"shape \(2,\)"):
        pullback(np.ones(2))
    with pytest.raises(DifferentiationError, match="returned a tuple"):
        engine.vjp(lambda x: (x, x), X)
    _, pullback = engine.vjp(lambda x: x, X)
    with pytest.raises(DifferentiationError, match="the seed is complex, the value float64"):
        pullback(X + 1j)
    with pytest.raises(NonScalarLossError):
        optshare.gradient(lambda x: x, X)
    with pytest.raises(UnreachedParametersError):
        engine.gradient(lambda: 1.0, [Parameter([1.0])])


def test_second_and_third_derivatives_are_right(engine):
    def derivative(f):
        return lambda x: optshare.gradient(lambda y: f(y).sum(), x)[0]

    f, x = (lambda x: x**4), np.array([1.0, 2.0])
    assert derivative(derivative(f))(x).tolist() == [12.0, 48.0]
    assert derivative(derivative(derivative(f)))(x).tolist() == [24.0, 48.0]


def test_an_inner_derivative_does_not_confuse_its_variable_with_the_outer(engine):
    def outer(x):
        return (x * optshare.gradient(lambda y: (x * y).sum(), np.ones(1))[0]).sum()

    assert optshare.gradient(outer, np.array([3.0]))[0].tolist() == [6.0]


def test_a_parameter_is_differentiated_twice(engine):
    p = Parameter([2.0, 3.0])

    def penalty():
        g = optshare.gradient(lambda: (p**3).sum(), wrt=p)[p]
        return (g * g).sum()

    value, found = optshare.value_and_gradient(penalty, wrt=p)
    assert float(value) == 12.0**2 + 27.0**2
    assert type(value) is np.float64
    assert found[p].tolist() == [36 * 8.0, 36 * 27.0]


def test_a_pullback_can_be_differentiated_for_its_seed(engine):
    _, pullback = engine.vjp(lambda x: x * x, X[0])
    _, transpose = engine.vjp(lambda g: pullback(g)[0], np.ones(3))
    assert transpose(np.ones(3))[0].tolist() == (2 * X[0]).tolist()


def test_autograds_own_derivatives_nest_inside_and_outside(engine):
    x = np.array([2.0, 3.0])

    def inside(x):
        return autograd.grad(lambda y: anp.sum(x * y**3))(x).sum()

    assert optshare.gradient(inside, x)[0].tolist() == (9 * x**2).tolist()

    def outside(x):
        return optshare.gradient(lambda y: (x * y**3).sum(), x)[0].sum()

    def reference(x):  # x is the outer one in the inner function, and y the inner one
        return anp.sum(3 * x * x**2)

    assert autograd.grad(outside)(x).tolist() == autograd.grad(reference)(x).tolist()
    assert autograd.grad(lambda x: inside(x) + outside(x))(x).tolist() == (18 * x**2).tolist()


def test_autograds_wider_gradients_come_back_in_the_dtype_of_the_value(engine):
    x = np.array([1.0, 2.0], np.float32)

    def f(x):
        return anp.sum(anp.where(x > 1, x, 2 * x) * anp.maximum(x, 1.5) + x**2) + anp.mean(x)

    assert autograd.grad(f)(x).dtype == np.float64  # what this guards against
    assert optshare.gradient(f, x)[0].dtype == np.float32


def test_autograds_where_is_summed_over_what_it_broadcast(engine):
    found = optshare.gradient(lambda x: anp.where(X > 0, x, 0.0).sum(), np.array(2.0))[0]
    assert found.tolist() == 4.0


def test_complex_numbers_and_tuples_may_lie_between_real_ones(engine):
    def fourier(x):
        transformed = anp.fft.fft(x * anp.ones((2, 3)))
        return anp.sum(anp.abs(anp.where(X > 0, transformed, 0.0)) ** 2)

    def eigen(x):
        values, vectors = anp.linalg.eigh(anp.dot(x.T, x) + anp.diag(anp.arange(3.0)))
        return anp.sum(values**3) + anp.sum(vectors[:, 0] ** 4)

    for f in (fourier, eigen):
        assert_close(optshare.gradient(f, X)[0], autograd.grad(f)(X))


def test_complex_functions_agree_with_the_tape_to_the_second_order(engine):
    z, w = X + 1j * X[::-1], np.array([1.0 - 0.5j, -2.0 + 1j, -0.3 + 2j])

    def loss(ops, z, w):
        parts = ops.sign(z) * ops.acosh(w) + ops.conj(z) * ops.vecdot(z, w)[:, None] + ops.var(z)
        return ops.sum(ops.abs(ops.where(ops.real(z) > 0, parts, ops.sqrt(z))) ** 3)

    def second(ops, z, w):
        found = optshare.gradient(lambda z, w: loss(ops, z, w), z, w)
        return sum(ops.sum(ops.imag(g * g)) for g in found)

    def found(f, name):
        ops = registry.load(name).ops
        with optshare.use(name):
            return optshare.gradient(lambda z, w: f(ops, z, w), z, w)

    for f in (loss, second):
        for one, other in zip(found(f, "autograd"), found(f, "tape"), strict=True):
            assert_close(one, other)


def test_a_cast_between_real_and_complex_is_differentiated(engine):
    z = X + 1j
    found = optshare.gradient(
        lambda x: engine.ops.sum(engine.ops.real(engine.ops.astype(x, complex) * z)), X
    )[0]
    assert found.dtype == np.float64
    assert_close(found, X)


def test_numbers_and_whole_numbers_are_differentiated_as_floats(engine):
    assert optshare.gradient(lambda x, y: x * x * y, 3.0, np.float32(2.0)) == (12.0, 9.0)
    assert optshare.gradient(lambda x: (x * x).sum(), [1, 2])[0].tolist() == [2.0, 4.0]


def test_numpys_functions_and_loops_over_a_tracked_value_work(engine):
    found = optshare.gradient(
        lambda x: np.sum(np.exp(x)) + sum(row @ row for row in x) + np.multiply(X, x).mean(), X
    )[0]
    assert_close(found, np.exp(X) + 2 * X + X / 6)


# -- Parameters, Buffers, and other users of autograd ----------------------------------------


def test_tracked_values_and_parameters_meet_under_every_operator(engine):
    p, x = Parameter([[2.0, 3.0], [4.0, 5.0]]), np.array([[1.0, 2.0], [3.0, 5.0]])
    seen = []

    def loss(x):
        seen.extend([(x == p), (x != p), (x < p), (x <= p), (x > p), (x >= p)])
        return (x + p - p * x / p + x**p + x % p + x @ p + p @ x).sum()

    def reference(x, w):
        return (x + w - w * x / w + x**w + x % w + x @ w + w @ x).sum()

    found = optshare.gradient(loss, x, wrt=(0, p))
    expected = autograd.grad(reference, (0, 1))(x, p.value)
    assert_close(found[0], expected[0])
    assert_close(found[p], expected[1])
    assert [each.sum() for each in seen] == [1, 3, 3, 4, 0, 1]


def test_autograds_operators_stay_what_they_are_for_everybody_else():
    assert autograd.grad(lambda x: (2 * x + x / 3 - x * x) @ x)(np.ones(1)).tolist() == [
        pytest.approx(2 * 2 + 2 / 3 - 3)
    ]
    with pytest.raises(TypeError):
        autograd.grad(lambda x: x + object())(1.0)


def test_what_is_written_to_a_buffer_is_plain_afterwards(engine):
    p, seen = Parameter([2.0]), optshare.Buffer([0.0])

    def loss():
        seen.value = seen.value + p.value
        return (p * p).sum()

    optshare.gradient(loss, wrt=p)
    assert type(seen.value) is np.ndarray
    assert seen.value.tolist() == [2.0]


def test_in_an_outer_differentiation_only_the_inner_tracking_is_lost(engine):
    kept = []

    def outer(x):
        value, (inner,) = optshare.value_and_gradient(lambda y: (x * y).sum(), np.ones(1))
        kept.extend([value, inner])
        return (value * inner).sum()

    assert optshare.gradient(outer, np.array([3.0]))[0].tolist() == [6.0]
    assert {each._trace for each in kept} == {kept[0]._trace}
    assert all(type(each._value) is not type(each) for each in kept)


def test_an_exception_inside_the_function_leaves_nothing_behind(engine):
    p = Parameter([2.0])
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            optshare.gradient(lambda: (p * p).sum() * (1 // 0), wrt=p)
    assert type(p.value) is np.ndarray
    assert optshare.gradient(lambda: (p * p).sum(), wrt=p)[p].tolist() == [4.0]
    assert autograd.grad(lambda x: x**2)(3.0) == 6.0


def test_a_value_that_escapes_from_its_differentiation_is_refused(engine):
    kept = []
    optshare.gradient(lambda x: (kept.append(x * x), kept[0].sum())[1], np.ones(2))
    with pytest.raises(EscapedValueError, match=r"sum was applied .* has ended"):
        optshare.gradient(lambda x: x.sum() * kept[0].sum(), np.ones(2))
    assert engine.ops.stop_gradient(kept[0]).tolist() == [1.0, 1.0]


def test_what_was_recorded_is_freed_with_its_pullback(engine):
    seen = []

    class Watched(np.ndarray):
        pass

    def fn(x):
        big = np.ones(3).view(Watched)
        seen.append(weakref.ref(big))
        return x * big.view(np.ndarray)

    gc.disable()
    try:
        value, pullback = engine.vjp(fn, np.ones(3))
        pullback(np.ones(3))
        del value, pullback
        assert seen[0]() is None
    finally:
        gc.enable()


def test_two_threads_differentiate_at_once_and_to_second_order():
    barrier, found, failures = threading.Barrier(2), {}, []

    def work(scale):
        try:
            with optshare.use("autograd"):
                for _ in range(50):
                    barrier.wait(10)
                    x = np.array([1.0, 2.0]) * scale

                    def inner(x):
                        barrier.wait(10)
                        return optshare.gradient(lambda y: (x * y**2).sum(), x)[0]

                    found[scale] = optshare.gradient(lambda x: (inner(x) ** 2).sum(), x)[0]
                    autograd.grad(lambda x: anp.sum(x * autograd.grad(anp.sum)(x)))(x)
                    np.testing.assert_array_equal(found[scale], 16 * x**3)
        except BaseException as error:  # reported by the main thread
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(scale,)) for scale in (1.0, 3.0)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []


def test_threads_inside_a_loss_compute_in_its_differentiation(engine):
    p = Parameter([1.0, 2.0, 3.0])

    def part(k):
        return p.value[k] ** 3 + optshare.gradient(lambda x: p.value[k] * x**2, 1.0)[0]

    def loss():
        with ThreadPoolExecutor(3) as pool:
            return sum(pool.map(optshare.propagate(part), range(3)))

    assert optshare.gradient(loss, wrt=p)[p].tolist() == [5.0, 14.0, 29.0]


def test_one_thread_may_end_while_another_begins_an_inner_differentiation():
    begun, ended, found = threading.Event(), threading.Event(), []

    def outer(x):
        begun.set()
        assert ended.wait(10)  # the main thread's own, of autograd, has ended meanwhile
        own = autograd.grad(lambda y: anp.sum(x * y))(np.ones(1))
        inner = optshare.gradient(lambda y: (x * y).sum(), np.ones(1))[0]
        return (x * inner * own).sum()

    def work():
        with optshare.use("autograd"):
            found.append(optshare.gradient(outer, np.array([2.0]))[0].tolist())

    def main(x):
        thread.start()
        assert begun.wait(10)
        return x * x

    thread = threading.Thread(target=work)
    assert autograd.grad(main)(3.0) == 6.0
    ended.set()
    thread.join()
    assert found == [[12.0]]


# -- training -------------------------------------------------------------------------------


def hand_written_adam(grad, values, steps, lr=0.1, betas=(0.9, 0.999), eps=1e-8):
    """Adam of Kingma and Ba on a list of arrays."""
    values = [each.copy() for each in values]
    means, squares = ([np.zeros_like(each) for each in values] for _ in range(2))
    for t in range(1, steps + 1):
        for k, g in enumerate(grad(values)):
            means[k] = betas[0] * means[k] + (1 - betas[0]) * g
            squares[k] = betas[1] * squares[k] + (1 - betas[1]) * g * g
            m, v = means[k] / (1 - betas[0] ** t), squares[k] / (1 - betas[1] ** t)
            values[k] = values[k] - lr * m / (np.sqrt(v) + eps)
    return values


def test_nested_containers_train_as_with_autograd_and_a_hand_written_adam(engine):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    start = [rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2))]
    w, b, c = (each.copy() for each in start)
    model = [w, {"b": b, "c": (c,)}]

    def loss(model):
        first, rest = model
        hidden = anp.tanh(x @ first + rest["b"])
        return anp.mean((hidden @ rest["c"][0] - y) ** 2)

    opt = optshare.Adam(model, lr=0.1)
    losses = [float(opt.step(loss)) for _ in range(20)]
    grad = autograd.grad(lambda v: loss([v[0], {"b": v[1], "c": (v[2],)}]))
    for found, wanted in zip((w, b, c), hand_written_adam(grad, start, 20), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert losses[-1] < losses[0] / 2
    assert model[0] is w


def test_layers_ops_and_autograds_functions_mix_in_one_loss(engine):
    dense, w = optshare.Dense(3, 2, optshare.relu, dtype=np.float64), Parameter(np.ones((2, 2)))

    def loss(x):
        return optshare.ops.mean(optshare.ops.square(anp.sin(dense(x) @ w.value)))

    def reference(x, weight, bias, w):
        return anp.mean(anp.sin(anp.maximum(x @ weight + bias, 0.0) @ w) ** 2)

    found = optshare.gradient(loss, X, wrt=[dense, w])
    values = [X, dense.weight.value, dense.bias.value, w.value]
    wanted = autograd.grad(reference, (1, 2, 3))(*values)
    for one, other in zip(found, wanted, strict=True):
        assert_close(one, other)


def test_single_precision_trains_in_single_precision(engine):
    dense = optshare.Dense(3, 2, optshare.tanh)
    opt = optshare.Adam(dense)
    found = optshare.gradient(lambda: (dense(X.astype(np.float32)) ** 2).mean(), wrt=dense)
    assert {each.dtype for each in found} == {np.dtype(np.float32)}
    value = opt.step(lambda x: (dense(x) ** 2).mean(), X.astype(np.float32))
    assert dense.weight.dtype == np.float32
    assert np.asarray(value).dtype == np.float32


# -- the door -------------------------------------------------------------------------------


def test_it_is_taken_only_where_it_is_preferred_or_its_values_are():
    assert registry.resolve((np.ndarray,)).name == "tape"
    seen = []
    autograd.grad(lambda x: (seen.append(optshare.ops.nn.relu(x)), seen[0].sum())[1])(np.ones(2))
    assert type(seen[0]).__name__ == "ArrayBox"
