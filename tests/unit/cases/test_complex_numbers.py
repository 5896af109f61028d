"""HIPS autograd's complex cases on both engines, against autograd, in PyTorch's convention.

Our gradient of a real loss is the conjugate of autograd's.
"""

import warnings

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from optshare_arrays import ops

TOLERANCE = 1e-12


def drawn(shape, seed=0, low=-2.0, high=2.0):
    rng = np.random.default_rng([seed, *shape])
    return rng.uniform(low, high, shape) + 1j * rng.uniform(0.1, 1.0, shape)


def called(name):
    return lambda n, x: getattr(n, name)(x)


UNARY = {
    "abs": (-2.0, 2.0),
    "absolute": (-2.0, 2.0),
    "angle": (-2.0, 2.0),
    "arccosh": (1.1, 4.0),
    "arcsinh": (-0.9, 0.9),
    "arctanh": (-0.9, 0.9),
    "conj": (-2.0, 2.0),
    "conjugate": (-2.0, 2.0),
    "cos": (-2.0, 2.0),
    "cosh": (-2.0, 2.0),
    "exp": (-2.0, 2.0),
    "exp2": (-2.0, 2.0),
    "expm1": (-2.0, 2.0),
    "imag": (-2.0, 2.0),
    "log": (0.2, 2.0),
    "log10": (0.2, 2.0),
    "log1p": (0.2, 2.0),
    "log2": (0.2, 2.0),
    "negative": (-2.0, 2.0),
    "real": (-2.0, 2.0),
    "reciprocal": (0.4, 2.0),
    "sin": (-2.0, 2.0),
    "sinh": (-2.0, 2.0),
    "sqrt": (1.0, 3.0),
    "square": (-2.0, 2.0),
    "tan": (-1.1, 1.1),
    "tanh": (-2.0, 2.0),
}
SHAPES = [(), (2,), (3, 2), (0,)]
BINARY = {
    "add": lambda n, x, y: x + y,
    "subtract": lambda n, x, y: x - y,
    "multiply": lambda n, x, y: x * y,
    "divide": lambda n, x, y: x / y,
    "power": lambda n, x, y: x**y,
    "logaddexp-free sum of exponentials": lambda n, x, y: n.exp(x) + n.exp(y),
}
OPERANDS = [(), (2,), (3, 2), (1, 2), (3, 1)]
PRODUCTS = {
    "dot": (lambda n, x, y: n.dot(x, y), (2, 3), (3,)),
    "dot of vectors": (lambda n, x, y: n.dot(x, y), (3,), (3,)),
    "outer": (lambda n, x, y: n.outer(x, y), (3,), (3,)),
    "matmul": (lambda n, x, y: n.matmul(x, y), (2, 3), (3, 4)),
    "matmul of a batch": (lambda n, x, y: n.matmul(x, y), (1, 2, 2), (3, 2, 1)),
    "tensordot": (lambda n, x, y: n.tensordot(x, y, axes=1), (1, 3), (3, 2)),
    "kron": (lambda n, x, y: n.kron(x, y), (3, 3), (2, 2)),
    "einsum": (lambda n, x, y: n.einsum("ij,jk->ik", x, y), (2, 3), (3, 4)),
    "einsum with a sum": (lambda n, x, y: n.einsum("ij,k", x, y), (3, 2), (3,)),
}
REDUCTIONS = {
    f"{name} axis={axis} keepdims={keepdims}": (
        lambda n, x, name=name, axis=axis, keepdims=keepdims: getattr(n, name)(
            x, axis=axis, keepdims=keepdims
        )
    )
    for name in ("sum", "mean", "prod", "var", "std")
    for axis in (None, 0, 1)
    for keepdims in (False, True)
}
STRUCTURAL = {
    "transpose": lambda n, x: n.transpose(x),
    "an index": lambda n, x: x[[0, 0, 1], 1:],
    "concatenate": lambda n, x: n.concatenate([x, 2j * x], axis=1),
    "where": lambda n, x: n.where(np.arange(3) > 0, x, 1j),
    "roll": lambda n, x: n.roll(x, 1, axis=1),
    "cumsum": lambda n, x: n.cumsum(x, axis=1),
    "pad": lambda n, x: n.pad(x, 1, "constant"),
    "tile": lambda n, x: n.tile(x, (2, 2)),
    "diagonal": lambda n, x: n.diag(x),
}


def modulus(n, y, weights):
    """A real loss that depends on the real and the imaginary part of y, unevenly."""
    return n.sum(n.real(y * weights)) + n.sum(n.real(y * n.conj(y)) * np.abs(weights)) / 3


def check(engine, f, *arrays):
    """The value, the gradient, and the gradient of a real function of the gradient."""
    value = np.asarray(f(np, *arrays))
    weights = drawn(value.shape, seed=5)
    every = tuple(range(len(arrays)))

    def ours(*xs):
        return modulus(np, f(np, *xs), weights)

    def theirs(*xs):
        return modulus(anp, f(anp, *xs), weights)

    slope = quiet(autograd.grad(theirs, every))
    for one, other in zip(engine.gradient(ours, *arrays), slope(*arrays), strict=True):
        close(one, np.conj(other), "gradient")

    def ours_again(*xs):
        found = engine.gradient(ours, *xs)
        return sum(
            modulus(np, g, drawn(np.shape(x), seed=6)) for g, x in zip(found, xs, strict=True)
        )

    def theirs_again(*xs):
        found = slope(*xs)
        return sum(
            modulus(anp, anp.conj(g), drawn(np.shape(x), seed=6))
            for g, x in zip(found, arrays, strict=True)
        )

    again = quiet(autograd.grad(theirs_again, every))(*arrays)
    for one, other in zip(engine.gradient(ours_again, *arrays), again, strict=True):
        close(one, np.conj(other), "second")


def quiet(f):
    """f, and nothing of autograd's casting a complex cotangent of a real array."""

    def call(*args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            return f(*args)

    return call


def close(found, expected, what):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    assert found.dtype.kind == expected.dtype.kind, what
    scale = float(np.max(np.abs(expected), initial=1.0))
    np.testing.assert_allclose(found, expected, 0, TOLERANCE * scale, err_msg=what)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_function_of_a_complex_array_agrees_with_autograd(name, shape, engine):
    low, high = UNARY[name]
    check(engine, called(name), drawn(shape, low=low, high=high))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("one", OPERANDS, ids=str)
@pytest.mark.parametrize("other", OPERANDS, ids=str)
def test_a_function_of_two_complex_arrays_agrees_with_autograd(name, one, other, engine):
    check(engine, BINARY[name], drawn(one, 1, 0.5, 2.0), drawn(other, 2, 0.5, 2.0))


@pytest.mark.parametrize("name", BINARY)
def test_a_real_array_beside_a_complex_one_has_a_real_gradient(name, engine):
    x, y = drawn((3, 2), 1, 0.5, 2.0), np.random.default_rng(3).uniform(0.5, 2.0, (2,))
    check(engine, BINARY[name], x, y)
    check(engine, BINARY[name], y, x)


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_of_complex_arrays_agrees_with_autograd(name, engine):
    f, one, other = PRODUCTS[name]
    check(engine, f, drawn(one, 1), drawn(other, 2))
    check(engine, f, drawn(one, 1).real, drawn(other, 2))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_of_a_complex_array_agrees_with_autograd(name, engine):
    check(engine, REDUCTIONS[name], drawn((2, 3), low=0.5))


@pytest.mark.parametrize("name", STRUCTURAL)
def test_a_change_of_shape_of_a_complex_array_agrees_with_autograd(name, engine):
    check(engine, STRUCTURAL[name], drawn((3, 3)))


def test_the_gradient_of_a_real_part_has_the_kind_of_the_argument(engine):
    assert np.isrealobj(engine.grad(lambda x: np.sum(np.real(x)))(2.0))
    assert np.iscomplexobj(engine.grad(lambda x: np.sum(np.real(x)))(1.0j))
    assert np.isrealobj(engine.grad(lambda x: np.sum(np.real_if_close(x)))(1.0))


def test_the_modulus_and_the_angle_of_numbers_agree_to_the_second_order(engine):
    for z in (1.1 + 1.2j, -0.4 + 0.3j):
        check(engine, lambda n, x: n.abs(x), np.asarray(z))
        check(engine, lambda n, x: n.angle(x), np.asarray(z))


def test_ops_has_the_standards_names(engine):
    x = drawn((3,))
    found = engine.grad(lambda x: ops.sum(ops.real(ops.conj(x) * x) + ops.imag(x)))(x)
    close(found, 2 * x + 1j, "gradient")
