"""`ops.nn` and `ops.random`, on both engines."""

import autograd.numpy as anp
import numpy as np
import pytest

from optshare_arrays import ops

X = np.array([[-3.5, -1.25, -0.2], [0.3, 0.9, 6.5]])


def log_softmax(x, axis=-1):
    return x - anp.log(anp.sum(anp.exp(x), axis=axis, keepdims=True))


def elu(x, alpha=1.0):
    return anp.where(x > 0, x, alpha * (anp.exp(x) - 1))


def sigmoid(x):
    return 1 / (1 + anp.exp(-x))


def hardsigmoid(x):
    return anp.where(x <= -3, 0.0, anp.where(x >= 3, 1.0, (x + 3) / 6))


ACTIVATIONS = {
    "celu": elu,
    "hardsigmoid": hardsigmoid,
    "hardswish": lambda x: x * hardsigmoid(x),
    "hardtanh": lambda x: anp.where(anp.abs(x) < 1, x, anp.sign(x)),
    "logsigmoid": lambda x: -anp.log(1 + anp.exp(-x)),
    "mish": lambda x: x * anp.tanh(anp.log(1 + anp.exp(x))),
    "relu6": lambda x: anp.where(x > 0, anp.where(x < 6, x, 6.0), 0.0),
    "softsign": lambda x: x / (1 + anp.abs(x)),
    "tanhshrink": lambda x: x - anp.tanh(x),
    "elu": elu,
    "gelu": lambda x: 0.5 * x * (1 + anp.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "leaky_relu": lambda x: anp.where(x > 0, x, 0.01 * x),
    "log_softmax": log_softmax,
    "relu": lambda x: anp.where(x > 0, x, 0.0),
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "softmax": lambda x: anp.exp(log_softmax(x)),
    "softplus": lambda x: anp.log(1 + anp.exp(x)),
    "tanh": anp.tanh,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_agrees_with_autograd_to_the_second_derivative(name, derivatives):
    derivatives.agree(getattr(ops.nn, name), ACTIVATIONS[name], X)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_activation_keeps_the_dtype_of_value_and_gradient(name, dtype, engine):
    f, x = getattr(ops.nn, name), X.astype(dtype)
    assert f(x).dtype == dtype
    assert engine.grad(lambda a: ops.sum(f(a) * np.float64(2)))(x).dtype == dtype


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (ops.nn.relu, 0.0),
        (ops.nn.leaky_relu, 0.01),
        (ops.nn.elu, 1.0),
        (ops.nn.softplus, 0.5),
        (ops.nn.sigmoid, 0.25),
        (ops.nn.silu, 0.5),
        (ops.nn.gelu, 0.5),
        (ops.nn.tanh, 1.0),
        (ops.nn.relu6, 0.0),
        (ops.nn.celu, 1.0),
        (ops.nn.softsign, 1.0),
        (ops.nn.mish, 0.6),
        (ops.nn.logsigmoid, 0.5),
        (ops.nn.tanhshrink, 0.0),
        (ops.nn.hardswish, 0.5),
        (lambda x: ops.nn.hardtanh(x + 1), 0.5),
        (lambda x: ops.nn.hardtanh(x - 1), 0.5),
        (lambda x: ops.nn.relu6(x + 6), 0.5),
        (lambda x: ops.nn.hardsigmoid(x + 3), 1 / 12),
        (lambda x: ops.nn.hardsigmoid(x - 3), 1 / 12),
    ],
)
def test_an_activation_has_its_derivative_at_zero(f, expected, engine):
    np.testing.assert_allclose(engine.grad(lambda x: ops.sum(f(x)))(np.zeros(1)), [expected])


def test_the_derivative_of_selu_at_its_kink_is_one_of_its_two_sides(engine):
    (found,) = engine.grad(lambda x: ops.sum(ops.nn.selu(x)))(np.zeros(1))
    right, left = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772
    assert right - 1e-12 <= found <= left + 1e-12


def test_options_of_activations_are_honoured(derivatives):
    derivatives.agree(lambda x: ops.nn.elu(x, 0.3), lambda x: elu(x, 0.3), X)
    derivatives.agree(lambda x: ops.nn.celu(x, 0.3), lambda x: 0.3 * elu(x / 0.3), X)
    derivatives.agree(
        lambda x: ops.nn.leaky_relu(x, 0.2), lambda x: anp.where(x > 0, x, 0.2 * x), X
    )


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_softmax_runs_along_any_axis(axis, derivatives):
    derivatives.agree(lambda x: ops.nn.log_softmax(x, axis=axis), lambda x: log_softmax(x, axis), X)
    np.testing.assert_allclose(ops.nn.softmax(X, axis=axis).sum(axis), 1.0, rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("size", [90.0, 1e4])
def test_an_activation_of_large_numbers_stays_finite(name, size, engine):
    for dtype in (np.float32, np.float64):
        x = np.array([-size, size], dtype)
        f = getattr(ops.nn, name)
        assert np.isfinite(f(x)).all()
        assert np.isfinite(engine.grad(lambda a, f=f: ops.sum(f(a)))(x)).all()


def test_log_softmax_passes_over_minus_infinity(engine):
    x = np.array([0.0, -np.inf, 0.0])
    np.testing.assert_allclose(ops.nn.softmax(x), [0.5, 0.0, 0.5], rtol=1e-15)
    gradient = engine.grad(lambda a: ops.nn.log_softmax(a)[0])(x)
    np.testing.assert_allclose(gradient, [0.5, 0.0, -0.5], rtol=1e-15)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "elu", "tanh", "softplus", "silu", "gelu"])
def test_an_activation_of_an_empty_or_0d_array(name, engine):
    f = getattr(ops.nn, name)
    assert engine.grad(lambda x: ops.sum(f(x)))(np.zeros((0, 2))).shape == (0, 2)
    alone = engine.grad(f)(X[1, 2])
    whole = engine.grad(lambda x: ops.sum(f(x)))(X)
    assert alone.shape == ()
    np.testing.assert_allclose(alone, whole[1, 2], rtol=1e-14)


def test_relu_of_a_variable_has_the_same_kink():
    from optshare_tape import Variable, back

    x = Variable([-1.0, 0.0, 1.0])
    back(ops.nn.relu(x).sum())
    np.testing.assert_array_equal(x.grad, [0.0, 0.0, 1.0])


def test_a_bernoulli_mask_is_drawn_from_its_key_alone(engine):
    like = np.ones((50, 40), np.float32)
    mask = ops.random.bernoulli((3, 1), 0.7, like)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert abs(mask.mean() - 0.7) < 5 * np.sqrt(0.7 * 0.3 / 2000)  # five standard errors
    np.testing.assert_array_equal(mask, ops.random.bernoulli((3, 1), 0.7, like))
    assert (mask != ops.random.bernoulli((3, 2), 0.7, like)).any()
    drawn = engine.grad(lambda x: ops.sum(x * ops.random.bernoulli((3, 1), 0.7, x)))(like)
    np.testing.assert_array_equal(drawn, mask)


def test_the_second_derivative_of_cross_entropy_does_not_depend_on_the_order_in_memory(engine):
    labels = np.array([0, 2])

    def slope(x):
        (g,) = engine.gradient(lambda y: ops.sum(ops.nn.cross_entropy(y, labels)), x)
        return ops.sum(g * g)

    by_rows, by_columns = engine.grad(slope)(X[:2]), engine.grad(slope)(np.asfortranarray(X[:2]))
    np.testing.assert_allclose(by_columns, by_rows, rtol=1e-14)
