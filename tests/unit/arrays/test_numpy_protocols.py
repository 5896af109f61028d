"""NumPy's own functions, operators and protocols on tracked values, on both engines."""

import copy

import autograd.numpy as anp
import numpy as np
import pytest

from optshare.errors import ImplicitUnwrapError, InPlaceError, NoDerivativeError
from optshare_arrays import ops

X = np.array([[0.3, 1.2, 0.7], [2.0, 0.9, 1.6]])
Y = np.array([0.4, 1.1, 3.0])
UNIT = X / 3

CALLS = {
    "exp": (lambda n, x: n.exp(x), X),
    "expm1": (lambda n, x: n.expm1(x), X),
    "log": (lambda n, x: n.log(x), X),
    "log1p": (lambda n, x: n.log1p(x), X),
    "log2": (lambda n, x: n.log2(x), X),
    "log10": (lambda n, x: n.log10(x), X),
    "sqrt": (lambda n, x: n.sqrt(x), X),
    "square": (lambda n, x: n.square(x), X),
    "reciprocal": (lambda n, x: n.reciprocal(x), X),
    "abs": (lambda n, x: n.abs(x - 1), X),
    "negative": (lambda n, x: n.negative(x), X),
    "sin": (lambda n, x: n.sin(x), X),
    "cos": (lambda n, x: n.cos(x), X),
    "tan": (lambda n, x: n.tan(x), UNIT),
    "arcsin": (lambda n, x: n.arcsin(x), UNIT),
    "arccos": (lambda n, x: n.arccos(x), UNIT),
    "arctan": (lambda n, x: n.arctan(x), X),
    "sinh": (lambda n, x: n.sinh(x), X),
    "cosh": (lambda n, x: n.cosh(x), X),
    "tanh": (lambda n, x: n.tanh(x), X),
    "arcsinh": (lambda n, x: n.arcsinh(x), X),
    "arccosh": (lambda n, x: n.arccosh(x + 1), X),
    "arctanh": (lambda n, x: n.arctanh(x), UNIT),
    "add": (lambda n, x: n.add(x, Y), X),
    "subtract": (lambda n, x: n.subtract(Y, x), X),
    "multiply": (lambda n, x: n.multiply(Y, x), X),
    "divide": (lambda n, x: n.divide(Y, x), X),
    "true_divide": (lambda n, x: n.true_divide(x, Y), X),
    "power": (lambda n, x: n.power(x, Y), X),
    "maximum": (lambda n, x: n.maximum(x, Y), X),
    "minimum": (lambda n, x: n.minimum(Y, x), X),
    "arctan2": (lambda n, x: n.arctan2(x, Y), X),
    "logaddexp": (lambda n, x: n.logaddexp(x, Y), X),
    "mod": (lambda n, x: n.mod(x, Y), X),
    "clip": (lambda n, x: n.clip(x, 0.5, 1.5), X),
    "where": (lambda n, x: n.where(X > 1, x, -x), X),
    "sum of 2x": (lambda n, x: n.sum(2 * x), X),
    "sum": (lambda n, x: n.sum(x, axis=0, keepdims=True), X),
    "sum by place": (lambda n, x: n.sum(x, 1), X),
    "mean": (lambda n, x: n.mean(x, axis=-1), X),
    "prod": (lambda n, x: n.prod(x, axis=0), X),
    "max": (lambda n, x: n.max(x, axis=1), X),
    "min": (lambda n, x: n.min(x, axis=0), X),
    "var": (lambda n, x: n.var(x, axis=1), X),
    "std": (lambda n, x: n.std(x, axis=0), X),
    "std of a sample": (lambda n, x: n.std(x, axis=1, ddof=1), X),
    "var of a sample": (lambda n, x: n.var(x, axis=1, ddof=1), X),
    "cumsum": (lambda n, x: n.cumsum(x, axis=1), X),
    "cumsum flattened": (lambda n, x: n.cumsum(x), X),
    "reshape": (lambda n, x: n.reshape(x, (3, 2)), X),
    "ravel": (lambda n, x: n.ravel(x), X),
    "transpose": (lambda n, x: n.transpose(x), X),
    "transpose by axes": (lambda n, x: n.transpose(x[None], (2, 0, 1)), X),
    "swapaxes": (lambda n, x: n.swapaxes(x, 0, -1), X),
    "moveaxis": (lambda n, x: n.moveaxis(x[None], 0, -1), X),
    "expand_dims": (lambda n, x: n.expand_dims(x, 1), X),
    "squeeze": (lambda n, x: n.squeeze(x[:, :1]), X),
    "roll": (lambda n, x: n.roll(x, 1, axis=1), X),
    "concatenate": (lambda n, x: n.concatenate([x, X, x], axis=1), X),
    "concatenate by place": (lambda n, x: n.concatenate((x, x), 0), X),
    "concatenate with a keyword": (lambda n, x: n.concatenate((x, 2 * x), axis=1), X),
    "stack": (lambda n, x: n.stack([x, 3 * x], axis=1), X),
    "dot": (lambda n, x: n.dot(x, Y), X),
    "matmul": (lambda n, x: n.matmul(x, Y), X),
    "outer": (lambda n, x: n.outer(x[0], Y), X),
    "tensordot": (lambda n, x: n.tensordot(x, Y, axes=1), X),
    "an index": (lambda n, x: x[1], X),
    "an element": (lambda n, x: x[1, 2] * x[0, 0], X),
    "an array on the left": (lambda n, x: Y * x + Y - x / 2 + Y / x, X),
    "a NumPy scalar on the left": (lambda n, x: np.float64(2) * x - np.float64(3) / x, X),
    "an array to a power": (lambda n, x: Y**x, X),
    "a matrix on the left": (lambda n, x: Y.reshape(1, 3) @ x.T, X),
    "methods": (lambda n, x: x.sum(axis=0) * x.mean() + x.max(axis=0) * x.min() * x.std(), X),
    "methods of shape": (lambda n, x: x.reshape(3, 2).T.ravel() * x.ravel(), X),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_function_of_numpy_is_differentiated(name, derivatives):
    f, x = CALLS[name]
    np.testing.assert_allclose(f(np, x), f(anp, x), rtol=1e-13)
    derivatives.agree(lambda each: f(np, each), lambda each: f(anp, each), x)


def test_functions_with_newer_names_are_differentiated(derivatives):
    derivatives.agree(lambda x: np.concat([x, x]), lambda x: anp.concatenate([x, x]), X)
    derivatives.agree(lambda x: np.permute_dims(x, (1, 0)), anp.transpose, X)
    derivatives.agree(lambda x: np.pow(x, 2), lambda x: x**2, X)
    derivatives.agree(lambda x: np.atan(x), anp.arctan, X)
    derivatives.agree(lambda x: np.acos(x), anp.arccos, UNIT)
    derivatives.agree(lambda x: np.vecdot(x, Y), lambda x: anp.sum(x * Y, axis=-1), X)
    derivatives.agree(lambda x: np.hypot(x, Y), lambda x: anp.sqrt(x**2 + Y**2), X)
    derivatives.agree(lambda x: np.cumulative_sum(x, axis=1), lambda x: anp.cumsum(x, axis=1), X)


def test_taking_and_flipping_agree_with_numpy(derivatives):
    places = np.array([[2, 0], [1, 1]])
    along = np.arange(2)[:, None], places
    derivatives.agree(lambda x: np.take(x, [2, 2], axis=1), lambda x: x[:, [2, 2]], X)
    derivatives.agree(lambda x: np.take_along_axis(x, places, 1), lambda x: x[along], X)
    derivatives.agree(lambda x: np.flip(x, 1), lambda x: x[:, ::-1], X)


def test_an_axis_of_none_flattens_as_in_numpy(derivatives):
    places = np.array([5, 0, 5])
    derivatives.agree(
        lambda x: np.concatenate([x, x[0]], axis=None),
        lambda x: anp.concatenate([x.ravel(), x[0]]),
        X,
    )
    derivatives.agree(
        lambda x: np.take_along_axis(x, places, axis=None), lambda x: x.ravel()[places], X
    )


def test_clip_takes_numpys_own_names_of_the_bounds(engine):
    gradient = engine.grad(lambda x: np.clip(x, a_min=0.5, a_max=1.5).sum())(X)
    np.testing.assert_array_equal(gradient, (X > 0.5) & (X < 1.5))


def test_inquiries_give_plain_answers(engine):
    def f(x):
        assert np.shape(x) == x.shape == (2, 3)
        assert (x.ndim, x.size, len(x), x.dtype) == (2, 6, 2, np.float64)
        assert isinstance(np.argmax(x), np.integer)
        assert (np.isfinite(x) == np.ones((2, 3), bool)).all()
        assert (np.zeros_like(x) == np.zeros((2, 3))).all()
        assert x.sum().item() == pytest.approx(X.sum())
        assert x[0, 0].item() == X[0, 0]
        assert bool(x[0, 0] > 0)
        return x.sum()

    np.testing.assert_array_equal(engine.grad(f)(X), np.ones((2, 3)))


def test_the_number_of_axes_may_be_asked_for_by_numpys_function(engine):
    gradient = engine.grad(lambda x: x.sum() * np.ndim(x) * np.size(x))(X)
    np.testing.assert_array_equal(gradient, np.full((2, 3), 12.0))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("i0", np.i0),
        ("linalg.svd", np.linalg.svd),
        ("linalg.inv", lambda x: np.linalg.inv(x[:, :2])),
        ("fft", np.fft.fft),
        ("median", np.median),
        ("quantile", lambda x: np.quantile(x, 0.5)),
        ("interp", lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0])),
        ("convolve", lambda x: np.convolve(x[0], x[1])),
        ("nansum", np.nansum),
        ("frexp", lambda x: np.frexp(x)[0]),
        ("add", lambda x: np.add.reduce(x)),
        ("multiply", lambda x: np.multiply.accumulate(x)),
        ("subtract", lambda x: np.subtract.outer(x, x)),
    ],
)
def test_a_function_without_a_derivative_raises_and_is_named(name, call, engine):
    with pytest.raises(NoDerivativeError, match=rf"\b{name.split('.')[-1]}\b"):
        engine.grad(lambda x: ops.sum(call(x)))(X)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, out: np.exp(x, out=out),
        lambda x, out: np.add(out, x, out=out),
        lambda x, out: np.sum(x, axis=0, keepdims=False, out=out[0]),
        lambda x, out: out.__iadd__(x),
        lambda x, out: np.concatenate([x[0], x[1]], out=out.ravel()),
    ],
)
def test_a_tracked_value_is_not_written_into_an_array(call, engine):
    out = np.zeros((2, 3))
    with pytest.raises(InPlaceError, match=r"out="):
        engine.grad(lambda x: ops.sum(call(x, out)))(X)
    np.testing.assert_array_equal(out, 0.0)


def test_an_array_refuses_a_tracked_value_in_its_elements(engine):
    array = np.zeros((2, 3))
    for index in (slice(None), 0, (0, slice(None))):
        with pytest.raises(ImplicitUnwrapError, match="stop_gradient"):
            engine.grad(lambda x, i=index: (array.__setitem__(i, x[i]), x.sum())[1])(X)
    np.testing.assert_array_equal(array, 0.0)


def test_one_element_of_an_array_refuses_a_tracked_value(engine):
    array = np.zeros(3)
    with pytest.raises(ValueError, match="array element") as raised:  # NumPy's, with ours inside
        engine.grad(lambda x: (array.__setitem__(0, x[0]), x.sum())[1])(Y)
    assert isinstance(raised.value.__cause__, ImplicitUnwrapError)
    np.testing.assert_array_equal(array, 0.0)


def test_a_tracked_value_is_no_float(engine):
    with pytest.raises(ImplicitUnwrapError, match="item"):
        engine.grad(lambda x: float(x) * x)(2.0)
    assert engine.grad(lambda x: x.item() * x)(2.0) == 2.0


@pytest.mark.parametrize(
    "unwrap",
    [
        np.asarray,
        np.array,
        lambda x: np.asarray([x[0], x[1]]),
        lambda x: np.sum([x[0], x[1]]),
        lambda x: np.array(x, np.float32),
        lambda x: np.asarray(x, copy=True),
    ],
)
def test_unwrapping_a_tracked_value_raises_and_names_the_fix(unwrap, engine):
    with pytest.raises(ImplicitUnwrapError, match="stop_gradient"):
        engine.grad(lambda x: ops.sum(unwrap(x)))(Y)


def test_a_tracked_value_is_not_written_by_index(engine):
    def f(x):
        x[0] = 1.0
        return x.sum()

    with pytest.raises(InPlaceError, match="where"):
        engine.grad(f)(Y)


def test_an_operator_with_assignment_makes_a_new_tracked_value(engine):
    def f(x):
        y = x
        y += 1
        y *= x
        return y.sum()

    np.testing.assert_allclose(engine.grad(f)(Y), 2 * Y + 1, rtol=1e-15)


def test_copying_a_tracked_value_deeply_raises_and_names_the_fix(engine):
    for thing in (lambda x: x, lambda x: [x], lambda x: {"x": x * 2}):
        with pytest.raises(ImplicitUnwrapError, match="stop_gradient"):
            engine.grad(lambda x, thing=thing: (copy.deepcopy(thing(x)), x.sum())[1])(Y)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.exp(x, where=X > 1),
        lambda x: np.add(x, x, dtype=np.float32),
        lambda x: np.sum(x, where=X > 1),
        lambda x: np.sum(x, dtype=np.float32),
        lambda x: np.max(x, initial=9.0),
        lambda x: np.reshape(x, (3, 2), order="F"),
        lambda x: np.take(x, [0], mode="wrap"),
    ],
)
def test_an_option_that_is_not_supported_raises_before_anything_is_computed(call, engine):
    reached = []
    with pytest.raises(TypeError, match=r"where|dtype|initial|order|mode"):
        engine.grad(lambda x: (reached.append(call(x)), ops.sum(reached[0]))[1])(X)
    assert reached == []


def test_a_tracked_value_shows_what_it_stands_for(engine):
    shown = []
    engine.grad(lambda x: (shown.append(repr(x * 2)), x.sum())[1])(np.array([1.0, 2.5]))
    assert "array([2., 5.])" in shown[0]


def test_tracked_values_compare_element_by_element_and_hash_by_identity(engine):
    def f(x):
        twin = x * 1
        np.testing.assert_array_equal(x == twin, [True, True, True])
        np.testing.assert_array_equal(x != Y, [False, False, False])
        assert hash(x) == hash(x)
        assert len({x, twin}) == 2
        with pytest.raises(ValueError, match="ambiguous"):
            bool(x)
        return x.sum()

    np.testing.assert_array_equal(engine.grad(f)(Y), np.ones(3))


@pytest.mark.parametrize(
    "f", [lambda x, b: x * b, lambda x, b: b - x, lambda x, b: x @ b, lambda x, b: x > b]
)
def test_a_buffer_is_a_constant_beside_tracked_values(f, engine):
    from optshare import Buffer

    gradient = engine.grad(lambda x: ops.sum(f(x, Buffer(X[0])) * x))(Y)
    expected = engine.grad(lambda x: ops.sum(f(x, X[0]) * x))(Y)
    np.testing.assert_array_equal(gradient, expected)


def test_a_frozen_or_constant_parameter_is_read_by_an_operator(engine):
    from optshare import Parameter

    p = Parameter([1.0, 2.0, 3.0])
    gradient = engine.grad(lambda x: ops.sum(x * p + p / x - p))(Y)
    np.testing.assert_allclose(gradient, p.stored - p.stored / Y**2, rtol=1e-15)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, p: np.multiply(x, p),
        lambda x, p: np.concatenate([x, p]),
        lambda x, p: np.where(Y > 1, x, p),
        lambda x, p: ops.maximum(x, p),
        lambda x, p: ops.matmul(x, p),
    ],
)
def test_a_parameter_is_never_unwrapped_beside_a_tracked_value(call, engine):
    from optshare import Parameter

    with pytest.raises(TypeError, match="Parameter"):
        engine.grad(lambda x: ops.sum(call(x, Parameter(Y))))(Y)
