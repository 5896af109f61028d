"""Element-wise functions against NumPy and autograd, on both engines."""

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from optshare_arrays import ops

ANYWHERE = np.array([[-2.3, -1.0, -0.25], [0.5, 1.0, 1.7]])
POSITIVE = np.array([[0.1, 0.9, 1.0], [1.5, 2.0, 7.0]])
UNIT = np.array([[-0.9, -0.5, -0.1], [0.2, 0.4, 0.8]])
ABOVE_ONE = np.array([[1.1, 1.5], [2.0, 7.0]])

UNARY = {
    "abs": (anp.abs, ANYWHERE),
    "acos": (anp.arccos, UNIT),
    "acosh": (anp.arccosh, ABOVE_ONE),
    "asin": (anp.arcsin, UNIT),
    "asinh": (anp.arcsinh, ANYWHERE),
    "atan": (anp.arctan, ANYWHERE),
    "atanh": (anp.arctanh, UNIT),
    "cos": (anp.cos, ANYWHERE),
    "cosh": (anp.cosh, ANYWHERE),
    "exp": (anp.exp, ANYWHERE),
    "expm1": (anp.expm1, ANYWHERE),
    "log": (anp.log, POSITIVE),
    "log1p": (anp.log1p, POSITIVE),
    "log2": (anp.log2, POSITIVE),
    "log10": (anp.log10, POSITIVE),
    "negative": (anp.negative, ANYWHERE),
    "positive": (lambda x: 1.0 * x, ANYWHERE),
    "reciprocal": (anp.reciprocal, ANYWHERE),
    "sin": (anp.sin, ANYWHERE),
    "sinh": (anp.sinh, ANYWHERE),
    "sqrt": (anp.sqrt, POSITIVE),
    "square": (anp.square, ANYWHERE),
    "tan": (anp.tan, UNIT),
    "tanh": (anp.tanh, ANYWHERE),
}
BINARY = {
    "add": (anp.add, ANYWHERE, POSITIVE),
    "atan2": (anp.arctan2, ANYWHERE, POSITIVE),
    "divide": (anp.divide, ANYWHERE, POSITIVE),
    "hypot": (lambda x, y: anp.sqrt(x * x + y * y), ANYWHERE, POSITIVE),
    "logaddexp": (lambda x, y: anp.log(anp.exp(x) + anp.exp(y)), ANYWHERE, POSITIVE),
    "maximum": (anp.maximum, ANYWHERE, POSITIVE[:, ::-1]),
    "minimum": (anp.minimum, ANYWHERE, POSITIVE[:, ::-1]),
    "multiply": (anp.multiply, ANYWHERE, POSITIVE),
    "pow": (anp.power, POSITIVE, ANYWHERE),
    "remainder": (lambda x, y: x - y * np.array([[-1, -1, -1], [0, 0, 0]]), UNIT, POSITIVE + 1),
    "subtract": (anp.subtract, ANYWHERE, POSITIVE),
}
CONSTANTS = {
    "ceil": np.ceil,
    "floor": np.floor,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "logical_not": np.logical_not,
    "round": np.round,
    "sign": np.sign,
    "trunc": np.trunc,
}
COMPARISONS = {
    "equal": np.equal,
    "floor_divide": np.floor_divide,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "not_equal": np.not_equal,
}
SHAPES = st.sampled_from(
    [((), ()), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0, 3), (3,)), ((1,), ())]
)
DTYPES = st.sampled_from([np.float32, np.float64])


@pytest.mark.parametrize("name", UNARY)
def test_a_unary_function_agrees_with_autograd_to_the_second_derivative(name, derivatives):
    reference, x = UNARY[name]
    derivatives.agree(getattr(ops, name), reference, x)


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_function_agrees_with_autograd_to_the_second_derivative(name, derivatives):
    reference, x, y = BINARY[name]
    derivatives.agree(getattr(ops, name), reference, x, y)


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_function_sums_the_gradient_over_axes_that_it_stretched(name, derivatives):
    reference, x, y = BINARY[name]
    if name == "remainder":

        def reference(x, y):
            return x - y * np.floor(getattr(x, "_value", x) / getattr(y, "_value", y))

    derivatives.agree(getattr(ops, name), reference, x, y[1:, :1], order=1)
    derivatives.agree(getattr(ops, name), reference, x[0], y, order=1)


@pytest.mark.parametrize("name", UNARY)
def test_a_unary_function_gives_a_0d_gradient_for_a_0d_array(name, engine):
    _, x = UNARY[name]
    whole = engine.grad(lambda each: getattr(ops, name)(each).sum())(x)
    alone = engine.grad(getattr(ops, name))(x[1, 1])
    assert alone.shape == ()
    np.testing.assert_allclose(alone, whole[1, 1], rtol=1e-13)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_unary_function_keeps_the_dtype_of_value_and_gradient(name, dtype, engine):
    x = UNARY[name][1].astype(dtype)
    value, gradient = value_and_gradient(engine, lambda each: getattr(ops, name)(each).sum(), x)
    assert value.dtype == dtype
    assert gradient.dtype == dtype


@pytest.mark.parametrize("name", BINARY)
def test_a_float32_argument_keeps_a_float32_gradient_beside_float64(name, engine):
    _, x, y = BINARY[name]
    f = getattr(ops, name)
    single = engine.grad(lambda each: f(each, y).sum())(x.astype(np.float32))
    double = engine.grad(lambda each: f(each, y).sum())(x)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=2e-5, atol=1e-6)
    both = engine.gradient(lambda a, b: f(a, b).sum(), x.astype(np.float32), y)
    assert [each.dtype for each in both] == [np.float32, np.float64]


@pytest.mark.parametrize("name", BINARY)
def test_a_python_scalar_never_widens(name, engine):
    x = BINARY[name][1].astype(np.float32)
    for f in (lambda a: getattr(ops, name)(a, 2.0), lambda a: getattr(ops, name)(2.0, abs(a))):
        assert f(x).dtype == np.float32
        value, gradient = value_and_gradient(engine, lambda a, f=f: f(a).sum(), x)
        assert value.dtype == gradient.dtype == np.float32


@settings(deadline=None, max_examples=40)
@given(SHAPES, DTYPES, DTYPES, st.sampled_from(sorted(BINARY)), st.data())
def test_gradients_have_their_arguments_shapes_and_dtypes(shapes, one, other, name, data):
    import optshare_functional
    import optshare_tape

    numbers = st.floats(0.25, 4.0, width=32)
    x = data.draw(npst.arrays(one, shapes[0], elements=numbers))
    y = data.draw(npst.arrays(other, shapes[1], elements=numbers))
    expected = np.asarray(getattr(ops, name)(x, y))
    found = []
    for engine in (optshare_tape, optshare_functional):
        f = getattr(ops, name)
        dx, dy = engine.gradient(lambda a, b, f=f: f(a, b).sum(), x, y)
        assert (dx.shape, dx.dtype) == (x.shape, one)
        assert (dy.shape, dy.dtype) == (y.shape, other)
        found.append((dx, dy))
    assert expected.dtype == np.result_type(x, y)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(UNARY)),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    DTYPES,
    st.sampled_from([0, 1, -1]),
)
def test_any_shape_and_layout_of_argument_will_do(name, shape, dtype, layout):
    import optshare_functional
    import optshare_tape

    point = UNARY[name][1][1, 0]
    x = np.full((*shape, 2), point, dtype)[..., layout]
    x.flags.writeable = False
    f = getattr(ops, name)
    reference = optshare_functional.grad(f)(dtype(point))
    for engine in (optshare_tape, optshare_functional):
        gradient = engine.grad(lambda a: f(a).sum())(x)
        assert gradient.flags.writeable
        assert (gradient.shape, gradient.dtype) == (shape, dtype)
        np.testing.assert_allclose(
            gradient, np.full(shape, reference), rtol=4 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_step_function_is_a_constant(name, engine):
    f = getattr(ops, name)
    np.testing.assert_array_equal(f(ANYWHERE), CONSTANTS[name](ANYWHERE))
    gradient = engine.grad(lambda x: (x * f(x)).sum())(ANYWHERE)
    np.testing.assert_array_equal(gradient, CONSTANTS[name](ANYWHERE).astype(float))


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_is_a_constant(name, engine):
    f, y = getattr(ops, name), POSITIVE
    expected = COMPARISONS[name](ANYWHERE, y)
    np.testing.assert_array_equal(f(ANYWHERE, y), expected)
    gradient = engine.grad(lambda x: (x * f(x, y)).sum())(ANYWHERE)
    np.testing.assert_array_equal(gradient, expected.astype(float))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (ops.abs, 0.0),
        (ops.nn.relu, 0.0),
        (lambda x: ops.hypot(x, x), 0.0),
        (lambda x: ops.hypot(x, 0.0), 0.0),
        (lambda x: ops.maximum(x, 0.0), 0.5),
        (lambda x: ops.minimum(x, 0.0), 0.5),
        (lambda x: ops.maximum(0.0, x), 0.5),
        (lambda x: ops.minimum(0.0, x), 0.5),
        (lambda x: ops.clip(x, 0.0, 1.0), 0.5),
        (lambda x: ops.clip(x, -1.0, 0.0), 0.5),
        (lambda x: x**0, 0.0),
        (lambda x: x**1, 1.0),
        (lambda x: x**2, 0.0),
        (lambda x: x**3, 0.0),
        (lambda x: x ** np.array([0.0]), 0.0),
        (lambda x: x ** np.array([2.0]), 0.0),
    ],
)
def test_a_derivative_at_a_kink_is_the_one_agreed_upon(f, expected, engine):
    gradient = engine.grad(lambda x: f(x).sum())(np.zeros(1))
    np.testing.assert_array_equal(gradient, [expected])


def test_both_sides_of_a_tie_receive_half(engine):
    for f in (ops.maximum, ops.minimum):
        one, other = engine.gradient(lambda x, y, f=f: f(x, y).sum(), [1.0, 2.0], [1.0, 2.0])
        np.testing.assert_array_equal(one, [0.5, 0.5])
        np.testing.assert_array_equal(other, [0.5, 0.5])


def test_hypot_of_two_zeros_has_zero_gradients_to_the_second_order(derivatives):
    zero = np.zeros(2)
    np.testing.assert_array_equal(derivatives.first(ops.hypot, zero, zero), np.zeros((2, 2)))


@pytest.mark.parametrize("exponent", [-2, -1, 0, 1, 2, 3, 0.5, -1.5, np.float64(2.5)])
def test_a_constant_exponent_agrees_with_autograd(exponent, derivatives):
    derivatives.agree(lambda x: x**exponent, lambda x: x ** float(exponent), POSITIVE)


def test_a_negative_base_has_a_derivative_for_an_integer_exponent(engine):
    gradient = engine.grad(lambda x: (x**3).sum())(np.array([-2.0, -1.0]))
    np.testing.assert_array_equal(gradient, [12.0, 3.0])


def test_a_zero_base_has_no_gradient_for_its_exponent(engine):
    gradient = engine.grad(lambda y: (np.zeros(2) ** y).sum())(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(gradient, [0.0, 0.0])


@pytest.mark.parametrize("condition", [np.array([[True], [False]]), np.bool_(True), False])
def test_where_sends_the_gradient_to_the_side_that_was_chosen(condition, engine):
    x, y = np.ones((2, 3)), np.full(3, 5.0)
    np.testing.assert_array_equal(ops.where(condition, x, y), np.where(condition, x, y))
    dx, dy = engine.gradient(lambda a, b: ops.where(condition, a, b).sum(), x, y)
    chosen = np.broadcast_to(condition, (2, 3)).astype(float)
    np.testing.assert_array_equal(dx, chosen)
    np.testing.assert_array_equal(dy, (1 - chosen).sum(0))


def test_where_takes_its_condition_from_tracked_values(engine):
    gradient = engine.grad(lambda x: ops.where(x > 0, x * x, -3 * x).sum())(ANYWHERE)
    np.testing.assert_array_equal(gradient, np.where(ANYWHERE > 0, 2 * ANYWHERE, -3.0))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"min": 0.0}, [0, 0, 0, 1, 1, 1]),
        ({"max": 1.0}, [1, 1, 1, 1, 0.5, 0]),
        ({"min": -0.25, "max": 0.75}, [0, 0, 0.5, 1, 0, 0]),
        ({}, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_clip_passes_the_gradient_between_its_bounds(bounds, expected, engine):
    x = ANYWHERE.ravel()
    given = {"min": None, "max": None} | bounds
    np.testing.assert_array_equal(ops.clip(x, **bounds), np.clip(x, given["min"], given["max"]))
    gradient = engine.grad(lambda a: ops.clip(a, **bounds).sum())(x)
    np.testing.assert_array_equal(gradient, expected)


def test_a_bound_of_clip_receives_the_gradient_of_what_it_holds(engine):
    low, high = engine.gradient(lambda lo, hi: ops.clip(ANYWHERE, lo, hi).sum(), -0.5, 0.75)
    assert (low, high) == (2.0, 2.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: -x + +x * 2 - 1 / x,
        lambda x: 2.0**x / 3 + x**x,
        lambda x: abs(x) % 0.3 + x // 2,
        lambda x: (x > 1) * x + (x <= 1) * x * x,
        lambda x: (1 - x) * (3 + x) / (x + 2),
    ],
)
def test_operators_are_the_functions(f, derivatives):
    x = POSITIVE + 0.05
    central = (f(x + 6e-6) - f(x - 6e-6)) / 1.2e-5  # h = eps**(1/3): error about h**2 * f'''
    found = derivatives.engine.grad(lambda each: f(each).sum())(x)
    np.testing.assert_allclose(found, central, rtol=1e-8, atol=1e-8)


def value_and_gradient(engine, f, x):
    """The value and the gradient, from one call of the function."""
    values = []

    def keeping(each):
        values.append(f(each))
        return values[0]

    gradient = engine.grad(keeping)(x)
    return values[0], gradient


def test_the_mixed_second_derivative_of_a_power_is_right_where_the_exponent_is_0():
    from optshare_functional import hessian

    at = hessian(lambda z: z[0] ** z[1])(np.array([2.0, 0.0]))
    assert at[0, 1] == at[1, 0] == 0.5


def test_the_slope_of_softplus_at_infinity_is_1(engine):
    x = np.array([np.inf, -np.inf, 0.0])
    assert engine.grad(lambda x: ops.sum(ops.nn.softplus(x)))(x).tolist() == [1.0, 0.0, 0.5]
