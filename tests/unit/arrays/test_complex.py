"""Complex arrays on both engines: PyTorch's convention, to the second order against PyTorch."""

import numpy as np
import pytest
import torch

import optshare
import optshare_functional
import optshare_tape
from optshare import Parameter, registry
from optshare.errors import (
    DifferentiationError,
    NoDerivativeError,
    NonScalarLossError,
    ParameterError,
)
from optshare_arrays import ops
from optshare_functional import custom_vjp, hessian, hvp, jacobian, jvp, vjp
from optshare_tape import Variable, back
from tests.unit.closeness import assert_close


def drawn(*shape, seed=0):
    rng = np.random.default_rng([seed, *shape])
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


Z, W, ROW, SQUARE = drawn(2, 3), drawn(2, 3, seed=1), drawn(3), drawn(3, 3, seed=2)
R = np.random.default_rng(3).normal(size=(2, 3))
P = np.abs(R) + 0.5


def mean_square(x, axis=None):
    """The variance as PyTorch's functions of both parts."""
    return torch.var(x.real, axis, correction=0) + torch.var(x.imag, axis, correction=0)


UNARY = {
    "abs": torch.abs,
    "acos": torch.acos,
    "acosh": torch.acosh,
    "asin": torch.asin,
    "asinh": torch.asinh,
    "atan": torch.atan,
    "atanh": torch.atanh,
    "conj": torch.conj,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "imag": torch.imag,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "negative": torch.neg,
    "positive": torch.positive,
    "real": torch.real,
    "reciprocal": torch.reciprocal,
    "sign": torch.sgn,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tan": torch.tan,
    "tanh": torch.tanh,
}
FUNCTIONS = {
    **{name: (getattr(ops, name), function, Z) for name, function in UNARY.items()},
    "angle": (np.angle, torch.angle, Z),
    "angle in degrees": (lambda z: np.angle(z, deg=True), lambda z: torch.rad2deg(z.angle()), Z),
    "sigmoid": (ops.nn.sigmoid, torch.sigmoid, 3 * Z),
    "add": (ops.add, torch.add, Z, W),
    "subtract": (ops.subtract, torch.sub, Z, ROW),
    "multiply": (ops.multiply, torch.mul, ROW, Z),
    "multiply by a real": (ops.multiply, torch.mul, Z, R),
    "multiply a real row": (ops.multiply, torch.mul, R[0], Z),
    "divide": (ops.divide, torch.div, Z, ROW),
    "divide a real": (ops.divide, torch.div, R, W),
    "power": (ops.pow, torch.pow, Z, ROW),
    "power of a real": (ops.pow, torch.pow, P, W),
    "power of a negative": (ops.pow, lambda x, y: (x + 0j) ** y, -P, W),
    "power of a number": (lambda z: (-2.0) ** z, lambda z: torch.tensor(-2.0 + 0j) ** z, W),
    "square root of a power": (lambda z: z**0.5 * z**2, lambda z: z**0.5 * z**2, Z),
    "a complex number": (lambda x: 1j * x + (2 - 1j), lambda x: 1j * x + (2 - 1j), R),
    "sum": (lambda z: ops.sum(z, axis=0), lambda z: z.sum(0), Z),
    "mean": (lambda z: ops.mean(z, axis=1), lambda z: z.mean(1), Z),
    "prod": (lambda z: ops.prod(z, axis=1), lambda z: z[:, 0] * z[:, 1] * z[:, 2], Z),
    "var": (lambda z: ops.var(z, axis=1), lambda z: mean_square(z, 1), Z),
    "std": (ops.std, lambda z: mean_square(z).sqrt(), Z),
    "cumulative_sum": (lambda z: ops.cumulative_sum(z, axis=1), lambda z: z.cumsum(1), Z),
    "logsumexp": (lambda z: ops.logsumexp(z, axis=1), lambda z: z.exp().sum(1).log(), 2 * Z),
    "log_softmax": (ops.nn.log_softmax, lambda z: z - z.exp().sum(1, keepdim=True).log(), Z),
    "matmul": (ops.matmul, torch.matmul, Z, SQUARE),
    "matmul of a vector": (ops.matmul, torch.matmul, SQUARE, ROW),
    "matmul by a real": (lambda z, x: z @ x.T, lambda z, x: z @ (x.mT + 0j), Z, R),
    "tensordot": (lambda x, y: ops.tensordot(x, y, axes=1), torch.matmul, Z, SQUARE),
    "vecdot": (ops.vecdot, lambda x, y: (x.conj() * y).sum(-1), Z, W),
    "vecdot of a real": (ops.vecdot, lambda x, y: (x * y).sum(-1), R, W),
    "vdot": (np.vdot, lambda x, y: (x.conj() * y).sum(), Z, W),
    "getitem": (lambda z: z[:, [0, 0, 2]], lambda z: z[:, [0, 0, 2]], Z),
    "where": (
        lambda x, y: ops.where(ops.real(x) > 0, x, y),
        lambda x, y: torch.where(x.real > 0, x, y + 0j),
        Z,
        R,
    ),
    "concat": (
        lambda x, y: ops.concat([x, y], axis=1),
        lambda x, y: torch.cat([x, y + 0j], 1),
        Z,
        R,
    ),
    "stack": (lambda x, y: ops.stack([x, y]), lambda x, y: torch.stack([x, y]), Z, W),
    "transpose": (lambda z: z.T.reshape((2, 3)), lambda z: z.mT.reshape(2, 3), Z),
    "broadcast_to": (lambda z: ops.broadcast_to(z, (2, 3)), lambda z: z.expand(2, 3), ROW),
    "roll and flip": (
        lambda z: ops.flip(ops.roll(z, 1, axis=1), axis=0),
        lambda z: z.roll(1, 1).flip(0),
        Z,
    ),
    "astype": (lambda x: ops.astype(x, np.complex128), lambda x: x.to(torch.complex128), R),
    "methods": (
        lambda z: z.real + 2 * z.imag * z.conj(),
        lambda z: z.real + 2 * z.imag * z.conj(),
        Z,
    ),
}
HOLOMORPHIC = ("exp", "sin", "sqrt", "tanh", "log", "square")


@pytest.fixture(params=["tape", "functional"])
def differentiate(request):
    """An engine's `vjp`: the value of a function of arrays and its pullback."""
    return registry.load(request.param).vjp


def numbers(tensor):
    return tensor.detach().resolve_conj().resolve_neg().numpy()


def cotangents(value, seed):
    """Fixed numbers of the shape and kind of a value."""
    found = drawn(*value.shape, seed=seed)
    return found if value.dtype.kind == "c" else found.real


def zeros_for_none(found, arrays):
    return [np.zeros_like(x) if g is None else g for g, x in zip(found, arrays, strict=True)]


def torch_orders(function, arrays, first, second):
    """PyTorch's value, pullback, and the pullback of that."""
    leaves = [torch.tensor(each, requires_grad=True) for each in arrays]
    value = function(*leaves)
    pull = torch.autograd.grad
    slope = pull(value, leaves, torch.tensor(first), create_graph=True)
    paired = sum(
        (g * torch.tensor(s).conj()).real.sum() for g, s in zip(slope, second, strict=True)
    )
    again = (
        pull(paired, leaves, allow_unused=True) if paired.requires_grad else [None] * len(leaves)
    )
    found = [g if g is None else numbers(g) for g in again]
    return numbers(value), [numbers(g) for g in slope], found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_complex_arrays_agrees_with_torch_to_the_second_order(name, differentiate):
    function, reference, *arrays = FUNCTIONS[name]
    first = cotangents(np.asarray(function(*arrays)), 8)
    second = [cotangents(each, 9 + place) for place, each in enumerate(arrays)]
    value, slope, again = torch_orders(reference, arrays, first, second)

    found, pullback = differentiate(function, *arrays)
    assert_close(found, value)
    gradients = pullback(first)
    for got, wanted, array in zip(gradients, slope, arrays, strict=True):
        assert got.dtype == array.dtype
        assert_close(got, wanted)

    def slope_of(*xs):
        pulled = differentiate(function, *xs)[1](first)
        return sum(ops.sum(ops.real(ops.conj(s) * g)) for s, g in zip(second, pulled, strict=True))

    doubled = differentiate(slope_of, *arrays)[1](1.0)
    for got, wanted in zip(
        *(zeros_for_none(each, arrays) for each in (doubled, again)), strict=True
    ):
        assert_close(got, wanted)


# -- the convention ----------------------------------------------------------------------------


def test_the_gradient_of_a_real_loss_is_that_of_its_two_parts(engine):
    def loss(z):
        return ops.sum(ops.abs(ops.sin(z) * ops.conj(z)) ** 2 + ops.real(z**3))

    (g,) = engine.gradient(loss, Z)
    a, b = engine.gradient(lambda a, b: loss(a + 1j * b), Z.real.copy(), Z.imag.copy())
    assert_close(g, a + 1j * b)


def test_the_squared_modulus_has_the_gradient_2z(engine):
    assert engine.grad(lambda z: abs(z) ** 2)(3 + 4j) == 6 + 8j
    assert_close(engine.grad(lambda z: ops.sum(ops.abs(z) ** 2))(Z), 2 * Z)
    assert_close(engine.grad(lambda z: ops.sum(ops.real(z * ops.conj(z))))(Z), 2 * Z)


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_a_pullback_multiplies_with_the_conjugate_of_a_holomorphic_derivative(name, differentiate):
    derivative = {
        "exp": np.exp,
        "sin": np.cos,
        "sqrt": lambda z: 0.5 / np.sqrt(z),
        "tanh": lambda z: 1 - np.tanh(z) ** 2,
        "log": lambda z: 1 / z,
        "square": lambda z: 2 * z,
    }[name]
    _, pullback = differentiate(getattr(ops, name), Z)
    assert_close(pullback(W)[0], W * np.conj(derivative(Z)))


def test_a_pullback_gives_a_real_array_a_real_cotangent(differentiate):
    _, pullback = differentiate(lambda x, z: x * z, R, Z)
    of_real, of_complex = pullback(W)
    assert of_real.dtype == np.float64
    assert_close(of_real, np.real(W * np.conj(Z)))
    assert_close(of_complex, W * R)


def test_a_backward_pass_from_a_complex_value_takes_a_complex_seed():
    z, x = Variable(Z), Variable(R)
    back(z * x, W)
    assert_close(z.grad, W * R)
    assert_close(x.grad, np.real(W * np.conj(Z)))
    assert x.grad.dtype == np.float64
    back(z * 1j, W)
    assert_close(z.grad, W * R - 1j * W)


def test_a_parameter_and_its_result_have_the_convention():
    p = Parameter(Z)
    result = optshare_tape.differentiate(lambda: ops.sum(ops.abs(p.value) ** 2))
    assert_close(result.gradient(p), 2 * Z)
    assert result.value.dtype == np.float64
    assert_close(optshare.gradient(lambda: ops.sum(ops.imag(p.value)), wrt=p)[p], 1j + 0 * Z)


def test_a_gradient_inside_a_differentiation_has_the_convention(engine):
    def conjugated(z):
        return engine.grad(lambda y: ops.sum(ops.real(y**3)))(z)

    assert_close(conjugated(Z), np.conj(3 * Z**2))
    weighted = engine.grad(lambda z: ops.sum(ops.real(conjugated(z) * W)))(Z)
    assert_close(weighted, np.conj(W * 0) + np.conj(np.conj(W) * 6 * Z))


def test_the_seed_of_a_pullback_is_differentiated_in_the_convention(differentiate):
    _, transposed = differentiate(lambda g: differentiate(lambda z: z * W, Z)[1](g)[0], ROW + R)
    assert_close(transposed(Z)[0], Z * W)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_complex_dtype_is_kept(name, dtype, differentiate):
    function, _, *arrays = FUNCTIONS[name]
    if name == "astype":
        return
    real = np.finfo(dtype).dtype
    given = [each.astype(dtype if each.dtype.kind == "c" else real) for each in arrays]
    value, pullback = differentiate(function, *given)
    assert value.dtype in (dtype, real)
    gradients = pullback(cotangents(value, 8).astype(value.dtype))
    assert [g.dtype for g in gradients] == [each.dtype for each in given]
    tolerance = 1e-4 if dtype == np.complex64 else 1e-12
    exact, pull = differentiate(function, *arrays)
    assert_close(value, exact, tolerance)
    for g, wanted in zip(gradients, pull(cotangents(exact, 8)), strict=True):
        assert_close(g, wanted, tolerance)


# -- directions --------------------------------------------------------------------------------


def not_holomorphic(z, x):
    return ops.sin(z) * ops.conj(z) * x + ops.abs(z) * x**2


def test_jvp_is_the_derivative_along_complex_tangents():
    tangents = [drawn(2, 3, seed=5), drawn(2, 3, seed=6).real]
    value, along = jvp(not_holomorphic, [Z, R], tangents)
    assert_close(value, not_holomorphic(Z, R))
    _, slope = torch.autograd.functional.jvp(
        lambda z, x: torch.sin(z) * z.conj() * x + z.abs() * x**2,
        (torch.tensor(Z), torch.tensor(R)),
        tuple(map(torch.tensor, tangents)),
    )
    assert_close(along, numbers(slope))


def test_jvp_of_a_holomorphic_function_is_the_product_with_its_derivative():
    assert_close(jvp(ops.exp, [Z], [W])[1], W * np.exp(Z))
    assert_close(jvp(ops.abs, [Z], [W])[1], np.real(np.conj(Z) * W) / np.abs(Z))
    assert_close(jvp(lambda x: x * W, [R], [P])[1], P * W)


def test_a_complex_tangent_of_a_real_argument_is_refused():
    with pytest.raises(DifferentiationError, match="float64, a tangent of complex128"):
        jvp(ops.exp, [R], [W])


def test_hvp_is_the_derivative_of_the_gradient_along_a_direction():
    def loss(z):
        return ops.sum(ops.abs(ops.sin(z)) ** 2)

    step = 1e-5
    slope = optshare_functional.grad(loss)
    difference = (slope(Z + step * W) - slope(Z - step * W)) / (2 * step)
    assert_close(hvp(loss, Z, W), difference, rtol=1e-8)
    assert_close(hvp(lambda z: ops.sum(ops.abs(z) ** 2), Z, W), 2 * W)


def test_a_jacobian_of_complex_values_for_a_real_argument_is_complex():
    found = jacobian(lambda x: ops.exp(1j * x))(R[0])
    assert_close(found, np.diag(1j * np.exp(1j * R[0])))


def test_partial_derivatives_for_a_complex_argument_are_refused():
    for derivative in (jacobian(lambda z: z * z), hessian(lambda z: ops.sum(ops.abs(z) ** 2))):
        with pytest.raises(DifferentiationError, match="complex128; use jvp or vjp"):
            derivative(Z)


def test_structures_of_real_and_complex_arrays_keep_their_kinds():
    value, along = jvp(lambda x: {"real": x * 2, "complex": x * W}, [R], [P])
    assert_close(along["real"], 2 * P)
    assert_close(along["complex"], P * W)
    assert [each.dtype.kind for each in (*value.values(), *along.values())] == ["f", "c"] * 2
    _, pullback = vjp(lambda x: {"real": x * 2, "complex": x * W}, R)
    assert_close(pullback({"real": P, "complex": Z})[0], 2 * P + np.real(Z * np.conj(W)))


# -- functions that bring their own backward pass ----------------------------------------------


def test_a_checkpoint_of_complex_arrays_has_the_same_gradients(engine):
    def inner(z, x):
        return ops.sin(z * x) + ops.conj(z)

    def again(z, x):
        if engine is optshare_tape:
            return optshare_tape.checkpoint(inner, z, x)
        return optshare_functional.checkpoint(inner)(z, x)

    def loss(f):
        return lambda z, x: ops.sum(ops.abs(f(z, x)) ** 3)

    for found, wanted in zip(
        engine.gradient(loss(again), Z, R), engine.gradient(loss(inner), Z, R), strict=True
    ):
        assert_close(found, wanted)


def test_a_derivative_by_hand_gets_and_gives_cotangents_in_the_convention():
    square = custom_vjp(lambda z: z * z, lambda z: (z * z, z), lambda z, g: (g * 2 * ops.conj(z),))
    assert_close(vjp(square, Z)[1](W)[0], vjp(lambda z: z * z, Z)[1](W)[0])
    slope = optshare_functional.grad(lambda z: ops.sum(ops.abs(square(z)) ** 2))
    assert_close(slope(Z), 4 * Z * np.abs(Z) ** 2)
    assert_close(jvp(slope, [Z], [W])[1], jvp(lambda z: 4 * z * ops.abs(z) ** 2, [Z], [W])[1])


def test_hooks_of_variables_and_values_see_gradients_in_the_convention():
    seen, z = [], Variable(Z)
    z.register_hook(seen.append)
    y = z * W
    y.register_hook(lambda g: seen.append(g) or 1j * g)
    back(ops.sum(ops.abs(y) ** 2))
    assert_close(seen[0], 2 * Z * W)
    assert_close(seen[1], 2j * Z * W * np.conj(W))
    assert_close(z.grad, seen[1])


def test_a_norm_of_complex_arrays_is_that_of_both_parts(differentiate):
    for norm in (np.linalg.norm, np.linalg.vector_norm):
        value, pullback = differentiate(norm, Z)
        assert_close(value, np.linalg.norm(Z))
        assert_close(pullback(1.0)[0], Z / np.linalg.norm(Z))


# -- kinks, and what is not defined ------------------------------------------------------------


@pytest.mark.parametrize("function", [ops.abs, ops.sign, np.angle], ids=["abs", "sign", "angle"])
def test_the_derivative_at_the_kink_0_is_0(function, differentiate):
    z = np.array([0j, 3 + 4j])
    value, pullback = differentiate(function, z)
    (g,) = pullback(np.ones_like(value))
    assert g[0] == 0
    assert g[1] != 0 or function is np.angle
    again = differentiate(lambda z: differentiate(function, z)[1](np.ones_like(value))[0], z)[1]
    assert again(np.ones(2, complex))[0][0] == 0


@pytest.mark.parametrize(
    "function",
    [ops.floor, ops.ceil, ops.trunc, lambda z: ops.atan2(z, z), lambda z: ops.hypot(z, z)],
)
def test_what_numpy_refuses_for_complex_arrays_is_refused(function, differentiate):
    with pytest.raises(TypeError, match="not supported for the input types"):
        differentiate(function, Z)


@pytest.mark.parametrize(
    "function",
    [ops.max, ops.min, lambda z: ops.maximum(z, W), lambda z: ops.minimum(W, z)],
    ids=["max", "min", "maximum", "minimum"],
)
def test_complex_numbers_have_no_order_and_their_maxima_no_derivative(function, differentiate):
    value, pullback = differentiate(function, Z)
    with pytest.raises(NoDerivativeError, match="complex numbers have no order"):
        pullback(np.ones_like(value))


def test_a_complex_loss_is_refused(engine):
    with pytest.raises(NonScalarLossError, match=r"the loss is complex; return a real number"):
        engine.grad(lambda z: ops.sum(z * z))(Z)
    with pytest.raises(NonScalarLossError, match="the loss is complex"):
        back(ops.sum(Variable(Z).value))
    with pytest.raises(NonScalarLossError, match="the loss is complex"):
        engine.grad(lambda z: 1j)(1.0)


def test_a_complex_seed_of_a_real_value_is_refused(differentiate):
    _, pullback = differentiate(ops.abs, Z)
    with pytest.raises(DifferentiationError, match="the seed is complex, the value float64"):
        pullback(W)


def test_the_parts_of_real_arrays_are_themselves_and_0(engine):
    assert ops.real(R) is R
    assert ops.conj(R) is R
    assert np.array_equal(ops.imag(R), np.zeros((2, 3)))
    assert (ops.real(2.0), ops.conj(1j), ops.imag(3j)) == (2.0, -1j, 3.0)
    (g,) = engine.gradient(lambda x: ops.sum(ops.real(x) * ops.conj(x) + ops.imag(x)), R)
    assert_close(g, 2 * R)


def test_a_complex_parameter_goes_down_the_slope_of_its_size(backend):
    p = Parameter(Z)
    optshare.SGD([p], lr=0.1).step(lambda: ops.sum(ops.abs(p.value) ** 2))
    assert_close(p.value, 0.8 * Z)


def test_a_complex_parameter_is_refused_by_a_rule_of_signs_and_left_alone(backend, unchanged):
    p = Parameter(Z)
    opt = optshare.Lion([p], lr=0.1)
    with unchanged([p], opt), pytest.raises(ParameterError, match="complex"):
        opt.step(lambda: ops.sum(ops.abs(p.value) ** 2))
