"""`complete()`: an engine's functions, and fallbacks for what it lacks."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from optshare.errors import CapabilityError, MissingFunctionError
from optshare.extend import complete
from optshare.namespace import fallbacks
from optshare.namespace.arranging import ARRANGING

ops = complete(np)
x = np.concatenate([np.linspace(-6, 6, 25), [1e-9, -1e-9, 30.0, -30.0]]).reshape(1, -1)
FAR = np.array([-1e4, -800.0, 800.0, 1e4])

# each fallback's formula, as the literature writes it
FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: (
        1.0507009873554804934193349852946
        * np.where(x > 0, x, 1.6732632423543772848170429916717 * np.expm1(np.minimum(x, 0)))
    ),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "silu": lambda x: x * special.expit(x),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "hardsigmoid": lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "hardswish": lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "hardtanh": lambda x: np.minimum(np.maximum(x, -1), 1),
    "logsigmoid": special.log_expit,
    "mish": lambda x: x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanhshrink": lambda x: x - np.tanh(x),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
    "softmax": lambda x: special.softmax(x, axis=-1),
}


def test_every_fallback_has_a_formula_here():
    elsewhere = {"cross_entropy", "embedding", "gru", "lstm"}  # in a file of their own
    elsewhere |= {"conv", "conv_transpose", "max_pool", "mean_pool"}  # against PyTorch
    assert set(FORMULAS) == set(fallbacks.NEURAL) - elsewhere
    named = {"stop_gradient", "is_concrete", "logsumexp", "scan", "square", "real", "imag", "conj"}
    assert set(fallbacks.CORE) - set(ARRANGING) == named  # the others: test_arranging.py
    assert set(fallbacks.RANDOM) == {"bernoulli"}


def test_the_parts_of_real_arrays_and_conjugates_from_parts_need_no_function():
    x, z = np.array([1.0, 2.0]), np.array([1 + 2j, -3j])
    bare = complete(SimpleNamespace(zeros_like=np.zeros_like))
    assert bare.real(x) is x
    assert bare.conj(x) is x
    assert bare.imag(x).tolist() == [0.0, 0.0]
    parts = complete(SimpleNamespace(real=np.real, imag=np.imag))
    assert parts.conj(z).tolist() == [1 - 2j, 3j]
    with pytest.raises(MissingFunctionError, match="no function 'real' for complex128"):
        bare.conj(z)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_fallback_has_the_value_of_its_formula(name):
    found = getattr(ops.nn, name)(x)  # atol: the rounding of numbers of size 30
    np.testing.assert_allclose(found, FORMULAS[name](x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_fallback_neither_overflows_nor_warns_far_out(name):
    found = getattr(ops.nn, name)(FAR)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found, FORMULAS[name](FAR), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fallback_keeps_the_dtype_and_the_shape(name, dtype):
    found = getattr(ops.nn, name)(np.ones((2, 3), dtype))
    assert found.dtype == dtype
    assert found.shape == (2, 3)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "selu", "silu", "gelu", "tanh"])
def test_a_fallback_is_0_at_0(name):
    assert getattr(ops.nn, name)(np.zeros(1)).tolist() == [0.0]


def test_gelu_is_as_near_to_its_exact_form_as_its_docstring_says():
    grid = np.linspace(-6, 6, 2001)
    distance = np.abs(ops.nn.gelu(grid) - grid * special.ndtr(grid)).max()
    assert 0.0004 < distance < 0.0005


def test_options_of_fallbacks_act():
    assert ops.nn.leaky_relu(np.array([-2.0]), 0.5).tolist() == [-1.0]
    assert ops.nn.elu(np.array([-1.0]), 3.0).tolist() == [3 * math.expm1(-1)]
    square = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(
        ops.nn.softmax(square, axis=0), special.softmax(square, axis=0), rtol=1e-14
    )
    np.testing.assert_allclose(
        ops.nn.log_softmax(square, axis=0), special.log_softmax(square, axis=0), rtol=1e-14
    )


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_is_scipys(axis, keepdims):
    array = np.random.default_rng(0).normal(size=(2, 3, 4)) * 500
    found = ops.logsumexp(array, axis=axis, keepdims=keepdims)
    expected = special.logsumexp(array, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert np.shape(found) == np.shape(expected)


@pytest.mark.parametrize(
    "array", [[1.0, -np.inf], [np.inf, 1.0], [np.inf, np.inf], [np.nan, 1.0], [-1e300, -1e300]]
)
def test_logsumexp_of_what_is_not_finite_is_scipys(array):
    np.testing.assert_equal(ops.logsumexp(np.array(array)), special.logsumexp(array))


def test_logsumexp_of_nothing_but_minus_infinity_is_minus_infinity():
    with np.errstate(divide="ignore"):  # log(0), as numpy.log warns of it
        assert ops.logsumexp(np.full(2, -np.inf)) == -np.inf


def test_logsumexp_of_a_number_is_itself():
    assert ops.logsumexp(np.array(3.0)) == 3.0


def test_square_and_stop_gradient():
    assert ops.square(np.array([-3.0])).tolist() == [9.0] == np.square([-3.0]).tolist()
    plain = complete(SimpleNamespace())
    assert plain.square(-3.0) == 9.0
    array = np.ones(2)
    assert plain.stop_gradient(array) is array


# -- random ---------------------------------------------------------------------------------


def test_bernoulli_depends_on_its_key_only():
    like = np.zeros((1000,), np.float32)
    one = ops.random.bernoulli((1, 2), 0.3, like)
    np.random.default_rng().random()  # another generator in between
    assert (one == ops.random.bernoulli((1, 2), 0.3, like)).all()
    assert (one != ops.random.bernoulli((1, 3), 0.3, like)).any()
    assert (one == ops.random.bernoulli((1, 2), 0.3, like.astype(np.float64))).all()


def test_bernoulli_gives_0_and_1_in_the_shape_and_dtype_of_an_array():
    drawn = ops.random.bernoulli((7,), 0.3, np.zeros((100, 100), np.float32))
    assert drawn.dtype == np.float32
    assert drawn.shape == (100, 100)
    assert set(drawn.ravel().tolist()) == {0.0, 1.0}
    assert abs(drawn.mean() - 0.3) < 0.02
    assert not ops.random.bernoulli((7,), 0.0, drawn).any()
    assert ops.random.bernoulli((7,), 1.0, drawn).all()


def test_bernoulli_is_equal_on_every_bundled_engine():
    from optshare import registry

    like = np.zeros(100)
    draws = [
        registry.load(n).ops.random.bernoulli((5, 6), 0.5, like) for n in ("tape", "functional")
    ]
    for each in draws:
        assert (each == ops.random.bernoulli((5, 6), 0.5, like)).all()


# -- making it whole ------------------------------------------------------------------------


def test_the_engines_own_function_wins_over_the_fallback():
    nn = SimpleNamespace(relu=lambda x: "theirs")
    mine = complete(np, nn=nn, random=SimpleNamespace(bernoulli=lambda *args: "theirs too"))
    assert mine.nn.relu(x) == "theirs"
    assert mine.random.bernoulli((0,), 0.5, x) == "theirs too"
    assert mine.nn.sigmoid(np.zeros(1)).tolist() == [0.5]


def test_fallbacks_use_the_engines_own_functions():
    used = []

    def log_softmax(x, *, axis=-1):
        used.append(axis)
        return np.zeros_like(x)

    mine = complete(np, nn=SimpleNamespace(log_softmax=log_softmax))
    assert mine.nn.softmax(np.array([1.0, 5.0])).tolist() == [1.0, 1.0]
    assert used == [-1]


def test_everything_else_is_the_engines():
    assert ops.exp is np.exp
    assert ops.permute_dims is np.permute_dims


@pytest.mark.parametrize("part", [ops, ops.nn, ops.random])
def test_what_cannot_be_composed_is_refused_by_name_when_asked_for(part):
    with pytest.raises(CapabilityError, match="no function 'fourier'"):
        part.fourier  # noqa: B018 # asking is what raises


def test_a_fallback_over_a_missing_function_names_that_function():
    with pytest.raises(CapabilityError, match="no function 'where'"):
        complete(SimpleNamespace(zeros_like=np.zeros_like)).nn.relu(x)


def test_a_function_that_appears_later_is_found():
    functions = SimpleNamespace()
    mine = complete(functions)
    with pytest.raises(CapabilityError):
        mine.exp(x)
    functions.exp = np.exp
    assert mine.exp(np.zeros(1)).tolist() == [1.0]


def test_a_completed_namespace_can_be_completed_again():
    again = complete(ops, nn=SimpleNamespace(relu=lambda x: "mine"))
    assert again.nn.relu(x) == "mine"
    assert again.logsumexp(np.zeros(2)) == math.log(2)
    again = complete(SimpleNamespace(), nn=ops.nn)
    assert again.nn.relu(np.array([-1.0])).tolist() == [0.0]


def test_a_namespace_can_be_asked_and_copied_like_any_object():
    assert hasattr(ops, "exp")
    assert not hasattr(ops, "__array_namespace_info__")
    assert copy.copy(ops).exp is np.exp
    assert copy.deepcopy(complete(SimpleNamespace(a=1))).a == 1


def test_asking_whether_a_function_is_there_is_answered():
    assert getattr(ops, "fourier", None) is None
    assert not hasattr(ops.nn, "fourier")
