"""Every function of the protocol gives the shape and the dtype that it gives on numbers."""

import re

import numpy as np
import pytest

from optshare.namespace.protocol import NN, Namespace, Random
from optshare.shapes import Shaped, ops
from optshare.testing import scenarios
from tests.unit.shapes.agreement import HOST, assert_same, bare, both, described
from tests.unit.shapes.calls import ARRAYS, CALLS, REFUSED, drawn, evaluated, lines

DTYPES = ["bool", "int8", "int32", "int64", "uint8", "float16", "float32", "float64", "complex64"]
SHAPES = [(), (3,), (2, 3), (0, 3), (2, 1, 3)]


# -- all the scenarios of the conformance kit -------------------------------------------------


@pytest.mark.parametrize("name", scenarios.ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_scenario_has_the_shape_and_dtype_that_it_has_on_numbers(name, dtype):
    row = scenarios.ALL[name]
    arrays = [each.astype(dtype) for each in scenarios.inputs(row)]
    wanted, found = both(
        lambda ops, *given: scenarios.evaluated(row.expression, ops, given), *arrays
    )
    assert found == wanted


# -- by elements ------------------------------------------------------------------------------

# fmt: off
UNARY = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "conj", "cos", "cosh",
    "exp", "expm1", "floor", "imag", "isfinite", "isinf", "isnan", "log", "log10", "log1p",
    "log2", "logical_not", "negative", "positive", "real", "reciprocal", "round", "sign", "sin",
    "sinh", "sqrt", "square", "tan", "tanh", "trunc", "zeros_like", "ones_like",
    "stop_gradient",
]
BINARY = [
    "add", "atan2", "divide", "equal", "greater", "greater_equal", "hypot", "less",
    "less_equal", "logaddexp", "logical_and", "logical_or", "maximum", "minimum", "multiply",
    "not_equal", "pow", "subtract",
]
ACTIVATIONS = [
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
    "tanhshrink", "softmax", "log_softmax",
]
# fmt: on


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_function_of_one_array(name, dtype):
    for shape in SHAPES:
        assert_same(lambda ops, x: getattr(ops, name)(x), drawn(shape, dtype))


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_arrays_broadcasts_and_promotes(name):
    for one in DTYPES:
        for other in DTYPES:
            x, y = drawn((2, 1, 3), one), drawn((4, 1), other)
            assert_same(lambda ops, x, y: getattr(ops, name)(x, y), x, y)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("number", [2, 0.5, True, 1j, np.float64(2), np.ones(3, np.int16)])
def test_a_number_is_weak_and_an_array_is_not(name, number):
    for dtype in DTYPES:
        x = drawn((2, 3), dtype)
        assert_same(lambda ops, x: getattr(ops, name)(x, number), x)
        assert_same(lambda ops, x: getattr(ops, name)(number, x), x)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["int32", "float16", "float32", "float64"])
def test_an_activation_keeps_the_shape(name, dtype):
    for shape in [(3,), (2, 3), (0, 3), (2, 1, 3)]:
        assert_same(lambda ops, x: getattr(ops.nn, name)(x), drawn(shape, dtype))


# -- along axes -------------------------------------------------------------------------------

REDUCTIONS = ["all", "any", "max", "mean", "min", "prod", "std", "sum", "var", "logsumexp"]
AXES = [None, 0, 1, -1, -2, (0, 1), (0, -1), (), 2, (0, 0), (1, -1)]


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("keepdims", [True, False])
def test_a_reduction(name, keepdims):
    for dtype in ["bool", "int32", "float16", "float32", "float64"]:
        for shape in [(3,), (2, 3), (2, 1, 3), (0, 3), (3, 0)]:
            for axis in AXES:
                if dtype == "bool" and name == "logsumexp":
                    continue  # some engines have it, and some not
                assert_same(
                    lambda ops, x, axis=axis: getattr(ops, name)(x, axis=axis, keepdims=keepdims),
                    drawn(shape, dtype),
                )


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_place_of_an_extreme(name):
    for shape in [(3,), (2, 3), (0, 3), (3, 0)]:
        for axis in (None, 0, -1, 2):
            assert_same(lambda ops, x, a=axis: getattr(ops, name)(x, axis=a), drawn(shape, "f4"))


# -- everything else --------------------------------------------------------------------------


@pytest.mark.parametrize("call", lines(CALLS))
def test_a_call_gives_the_shape_and_dtype_that_it_gives_on_numbers(call):
    wanted, found = both(lambda ops, *given: evaluated(call, ops, named(given)), *ARRAYS.values())
    assert found == wanted


@pytest.mark.parametrize("call", lines(REFUSED))
def test_a_call_that_raises_on_numbers_raises_without(call):
    refused = (ValueError, TypeError, IndexError)
    with pytest.raises(refused):
        evaluated(call, HOST, ARRAYS)
    with pytest.raises(refused):
        evaluated(call, ops, {name: bare(each) for name, each in ARRAYS.items()})


def named(arrays):
    return dict(zip(ARRAYS, arrays, strict=True))


@pytest.mark.parametrize("time", [1, 4])
@pytest.mark.parametrize(("name", "gates", "biases"), [("lstm", 4, 1), ("gru", 3, 2)])
def test_recurrent_networks(name, gates, biases, time):
    states = [drawn((2, 5), "f4")] * (2 if name == "lstm" else 1)
    weights = [drawn((3, gates * 5), "f8"), drawn((5, gates * 5), "f4")]
    arrays = [drawn((2, time, 3), "f4"), *states, *weights, *[drawn((gates * 5,), "f4")] * biases]
    wanted, found = both(lambda ops, *given: getattr(ops.nn, name)(*given), *arrays)
    assert found == wanted
    assert_same(lambda ops, *given: getattr(ops.nn, name)(*given), arrays[0][:, :0], *arrays[1:])
    assert_same(lambda ops, *given: getattr(ops.nn, name)(*given), arrays[0][:1], *arrays[1:])


def test_every_function_of_the_protocol_is_there_and_was_called():
    listed = [UNARY, BINARY, ACTIVATIONS, REDUCTIONS, ["argmax", "argmin", "is_concrete"]]
    asked = {"lstm", "gru"}.union(*listed)
    asked |= {each.partition("(")[0] for each in re.split(r"ops\.nn\.|ops\.random\.|ops\.", CALLS)}
    for kind, part in ((Namespace, ops), (NN, ops.nn), (Random, ops.random)):
        names = set(kind.__annotations__) - {"nn", "random"}
        assert names - asked == set()
        assert all(callable(getattr(part, name)) for name in names)


def test_numbers_are_known_only_of_what_has_some():
    assert ops.is_concrete(Shaped((2,), "f4")) is False
    assert ops.is_concrete(np.ones(2)) is True


def test_constants_may_stand_beside_in_any_place():
    x = Shaped((2, 3), "f4")
    weight, bias = np.ones((3, 5), np.float32), [1.0] * 5
    assert described(ops.nn.linear(x, weight, np.array(bias, np.float32))) == ((2, 5), "float32")
    assert described(ops.add(x, [1, 2, 3])) == ((2, 3), "float64")
    assert described(ops.concat([np.ones((2, 1), np.float32), x], axis=1)) == ((2, 4), "float32")
    assert described(ops.nn.relu(np.ones(3))) == ((3,), "float64")
