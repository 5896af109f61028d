"""The references of the scenarios, by other ways; and that no function lacks one."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from optshare.namespace.protocol import NN, Namespace
from optshare.testing import CHECKS
from optshare.testing.scenarios import (
    ALL,
    DOMAINS,
    ELEMENTWISE,
    SHAPE,
    STRUCTURAL,
    gradients_of,
    inputs,
    names_used,
    value_of,
)

RNG = np.random.default_rng(7)


def five_point(row, arrays, weights, place, h):
    """The derivative by every element, of the fourth order."""
    found = np.empty(arrays[place].shape)
    for at in np.ndindex(found.shape):
        f = {}
        for k in (-2, -1, 1, 2):
            moved = [each.copy() for each in arrays]
            moved[place][at] += k * h
            f[k] = float(np.sum(np.asarray(value_of(row, moved)) * weights))
        found[at] = (f[-2] - 8 * f[-1] + 8 * f[1] - f[2]) / (12 * h)
    return found


@pytest.mark.parametrize("name", ALL)
def test_the_reference_gradient_is_that_of_the_five_point_difference(name):
    row = ALL[name]
    arrays = inputs(row)
    weights = RNG.normal(size=np.shape(value_of(row, arrays)))
    found = gradients_of(row, arrays, weights)
    assert len(found) == len(arrays)
    for place, gradient in enumerate(found):
        assert gradient.shape == arrays[place].shape
        wanted = five_point(row, arrays, weights, place, 5e-4)
        scale = max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-8 * scale)


def test_every_elementwise_scenario_has_a_derivative_by_each_argument_or_none():
    for row in ALL.values():
        assert len(row.derivatives) in (0, len(row.domains))
    assert [name for name, row in ELEMENTWISE.items() if not row.derivatives] == [
        "nn.gelu",
        "nn.selu",
    ]
    assert not any(row.derivatives for row in STRUCTURAL.values())


def test_the_inputs_are_in_their_domains_away_from_kinks_and_always_the_same():
    for row in ALL.values():
        arrays = inputs(row)
        for array, domain, again in zip(arrays, row.domains, inputs(row), strict=True):
            low, high = DOMAINS[domain]
            assert array.shape == (SHAPE[::-1] if domain == "T" else SHAPE)
            assert array.dtype == np.float64
            assert low <= array.min() <= array.max() <= high
            np.testing.assert_array_equal(array, again)
        for kink in (0.0, 0.25, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5):
            assert np.abs(arrays[0] - kink).min() > 2e-3
        if len(arrays) == 2 and arrays[0].shape == arrays[1].shape:
            assert np.abs(arrays[0] - arrays[1]).min() > 2e-3


def each(function):
    """A function of Python numbers, element by element."""
    return lambda *arrays: np.array(
        [function(*map(float, args)) for args in zip(*map(np.ravel, arrays), strict=True)]
    ).reshape(arrays[0].shape)


def rows(function):
    """A function of lists of Python numbers, row by row."""
    return lambda *arrays: np.array(
        [function(*args) for args in zip(*(each.tolist() for each in arrays), strict=True)]
    )


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * (math.exp(x) - 1)


def hardsigmoid(half):
    return min(max((2 * half + 3) / 6, 0.0), 1.0)


def scanned(x, y):
    state, outputs = x[0], []
    for row in y:
        outputs.append(state - row)
        state = state * row + 1
    return np.array(outputs)


def lstm(x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    cell = torch.nn.LSTMCell(2, 2, dtype=torch.float64)
    weights = torch.cat([y.reshape(-1), x[1]]), torch.cat([x[2], y.reshape(-1)])
    copied(cell, *(each.reshape(2, 8) for each in weights), y[1:].reshape(-1), torch.zeros(8))
    h, c, sequences, hs = x[:2, :2], y[:2, 2:], x.reshape(2, 3, 2), []
    for t in range(3):
        h, c = cell(sequences[:, t], (h, c))
        hs.append(h)
    return joined(torch.stack(hs, 1), h, c)


def gru(x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    cell = torch.nn.GRUCell(2, 2, dtype=torch.float64)
    biases = y[:, :2].reshape(-1), x[:, 2:].reshape(-1)
    copied(cell, y.reshape(2, 6), x.reshape(2, 6), *biases)
    h, sequences, hs = x[:2, :2], x.reshape(2, 3, 2), []
    for t in range(3):
        h = cell(sequences[:, t], h)
        hs.append(h)
    return joined(torch.stack(hs, 1), h)


def copied(cell, input_weight, hidden_weight, input_bias, hidden_bias):
    given = {
        "weight_ih": input_weight.T,
        "weight_hh": hidden_weight.T,
        "bias_ih": input_bias,
        "bias_hh": hidden_bias,
    }
    cell.load_state_dict(given)


def joined(*arrays):
    return np.concatenate([each.detach().numpy().ravel() for each in arrays])


def variance(x):
    return sum((v - sum(x) / len(x)) ** 2 for v in x) / len(x)


def softmax(x):
    return [math.exp(v) / sum(map(math.exp, x)) for v in x]


def columns(function):
    return lambda x: rows(function)(x.T)


def torchs(function, *shapes, **options):
    """PyTorch's function, of the same numbers in other shapes."""
    return lambda *arrays: function(
        *(torch.tensor(each).reshape(*shape) for each, shape in zip(arrays, shapes, strict=True)),
        **options,
    ).numpy()


FORMULAS = {
    "abs": each(lambda x: x if x > 0 else -x),
    "acos": each(math.acos),
    "acosh": each(math.acosh),
    "add": each(lambda x, y: x + y),
    "asin": each(math.asin),
    "asinh": each(math.asinh),
    "atan": each(math.atan),
    "atan2": each(math.atan2),
    "atanh": each(math.atanh),
    "clip": each(lambda x: min(max(x, -0.5), 0.5)),
    "cos": each(math.cos),
    "cosh": each(math.cosh),
    "divide": each(lambda x, y: x / y),
    "exp": each(math.exp),
    "expm1": each(math.expm1),
    "hypot": each(lambda x, y: math.sqrt(x * x + y * y)),
    "log": each(math.log),
    "log10": each(math.log10),
    "log1p": each(lambda x: math.log(1 + x)),
    "log2": each(math.log2),
    "logaddexp": each(lambda x, y: math.log(math.exp(x) + math.exp(y))),
    "maximum": each(max),
    "minimum": each(min),
    "multiply": each(lambda x, y: x * y),
    "negative": each(lambda x: 0 - x),
    "positive": each(lambda x: x),
    "astype": each(lambda x: x),
    "pow": each(lambda x, y: math.exp(y * math.log(x))),
    "reciprocal": each(lambda x: 1 / x),
    "sin": each(math.sin),
    "sinh": each(math.sinh),
    "sqrt": each(math.sqrt),
    "square": each(lambda x: x * x),
    "subtract": each(lambda x, y: x - y),
    "tan": each(math.tan),
    "tanh": each(math.tanh),
    "where": each(lambda x, y: x if x > 0.25 else y),
    "operators": each(lambda x, y: (2 - x) * y / 3 - x * x),
    "fan_out": each(lambda x, y: 2 * x * (x + y)),
    "nn.relu": each(lambda x: max(x, 0.0)),
    "nn.leaky_relu": each(lambda x: x if x > 0 else 0.1 * x),
    "nn.elu": each(elu),
    "nn.sigmoid": each(sigmoid),
    "nn.silu": each(lambda x: x * sigmoid(x)),
    "nn.softplus": each(lambda x: math.log(1 + math.exp(x))),
    "nn.tanh": each(math.tanh),
    "nn.gelu": each(
        lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "nn.celu": each(lambda x: x if x > 0 else 0.5 * (math.exp(x / 0.5) - 1)),
    "nn.hardsigmoid": each(hardsigmoid),
    "nn.hardswish": each(lambda x: 2 * x * hardsigmoid(x)),
    "nn.hardtanh": each(lambda x: min(max(x, -1.0), 1.0)),
    "nn.logsigmoid": each(lambda x: math.log(sigmoid(x))),
    "nn.mish": each(lambda x: x * math.tanh(math.log(1 + math.exp(x)))),
    "nn.relu6": each(lambda x: min(max(4 * x, 0.0), 6.0)),
    "nn.softsign": each(lambda x: x / (1 + abs(x))),
    "nn.tanhshrink": each(lambda x: x - math.tanh(x)),
    "nn.selu": each(lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772)),
    "sum": rows(sum),
    "sum_keepdims": lambda x: np.array([[sum(row)] for row in x]),
    "sum_axes": lambda x, y: np.einsum("ik,jk->k", x, y),
    "mean_last": lambda x: np.array([sum(row) / len(row) for row in x]),
    "mean": lambda x: columns(lambda c: sum(c) / len(c))(x)[None],
    "max": rows(max),
    "min": columns(min),
    "prod": rows(math.prod),
    "var": rows(variance),
    "std": columns(lambda c: math.sqrt(variance(c))),
    "logsumexp": rows(lambda r: math.log(sum(map(math.exp, r)))),
    "cumulative_sum": rows(lambda r: [sum(r[: i + 1]) for i in range(len(r))]),
    "cumulative_prod": rows(lambda r: [math.prod(r[: i + 1]) for i in range(len(r))]),
    "diff": lambda x: np.array([x[1] - x[0], x[2] - x[1]]),
    "reshape": lambda x: np.array([x.flat[3 * i : 3 * i + 3] for i in range(4)]),
    "permute_dims": lambda x: x.T,
    "matrix_transpose": lambda x: np.einsum("ij->ji", x),
    "broadcast_to": lambda x: np.array([x, x]),
    "expand_dims": lambda x: x[:, None],
    "squeeze": lambda x: x,
    "concat": rows(lambda r, s: r + s),
    "stack": lambda x, y: np.array([x, y]),
    "flip": lambda x: x[:, ::-1],
    "roll": lambda x: x[:, [3, 0, 1, 2]],
    "moveaxis": lambda x: x.T[:, None],
    "pad": lambda x: np.array([[0] * 7, *([0, 0, *row, 0] for row in x.tolist())]),
    "pad_number": lambda x: np.array([*([*row, 0.5, 0.5] for row in x.tolist()), *[[0.5] * 6] * 2]),
    "repeat": lambda x: x[:, [0, 0, 1, 1, 2, 2, 3, 3]],
    "tile": lambda x: x[[0, 1, 2, 0, 1, 2]][:, [0, 1, 2, 3] * 3],
    "unstack": lambda x: x[:, 3],
    "take": lambda x: x[:, [0, 2, 2]],
    "take_along_axis": lambda x: np.array([[x[0, 0]], [x[1, 2]], [x[2, 2]]]),
    "matmul": lambda x, y: np.einsum("ik,kj->ij", x, y),
    "tensordot": lambda x, y: np.einsum("ik,kj->ij", x, y),
    "vecdot": lambda x, y: np.einsum("ik,ik->i", x, y),
    "einsum": lambda x, y: x @ y,
    "einsum_sum": lambda x, y: y @ x.sum(axis=0),
    "einsum_diagonal": rows(sum),
    "index": lambda x: np.array(x.tolist()[1][1:]),
    "scan": scanned,
    "nn.embedding": lambda x: np.array([[x[0], x[2]], [x[2], x[1]]]),
    "nn.lstm": lstm,
    "nn.gru": gru,
    "nn.softmax": rows(softmax),
    "nn.log_softmax": rows(lambda r: [math.log(v) for v in softmax(r)]),
    "nn.conv": torchs(
        functional.conv2d, (1, 1, 3, 4), (3, 1, 2, 2), stride=(1, 2), padding=1, dilation=(2, 1)
    ),
    "nn.conv_groups": torchs(functional.conv1d, (1, 4, 3), (6, 2, 1), groups=2),
    "nn.conv_transpose": torchs(
        functional.conv_transpose2d,
        (1, 2, 2, 3),
        (2, 1, 3, 2),
        stride=(2, 1),
        padding=1,
        output_padding=(1, 0),
    ),
    "nn.max_pool": torchs(functional.max_pool2d, (1, 1, 3, 4), kernel_size=2, stride=1),
    "nn.mean_pool": torchs(functional.avg_pool2d, (1, 1, 3, 4), kernel_size=2, padding=1),
    "nn.cross_entropy": lambda x: [
        -math.log(softmax(row)[label]) for row, label in zip(x, [0, 2, 2], strict=True)
    ],
}


def test_every_scenario_has_a_formula_here():
    assert set(FORMULAS) == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_numpys_value_is_that_of_the_formula(name):
    arrays = inputs(ALL[name])
    wanted = FORMULAS[name](*arrays)
    np.testing.assert_allclose(value_of(ALL[name], arrays), wanted, rtol=1e-13, atol=1e-14)


# -- which functions have one ---------------------------------------------------------------

WITHOUT = {
    "truths, which have no derivative": {
        "all", "any", "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less",
        "less_equal", "logical_and", "logical_not", "logical_or", "not_equal",
    },
    "indices, which have no derivative": {"argmax", "argmin"},
    "constant between jumps: the derivative is zero or absent": {
        "ceil", "floor", "round", "sign", "trunc",
    },
    "creation: no path leads through the values of an argument": {
        "arange", "full_like", "ones_like", "zeros_like",
    },
    "conversion of what is no array of the engine": {"asarray"},
    "a truth about an array": {"is_concrete"},
    "a check of its own, absent.stopped": {"stop_gradient"},
    "checks of complex arrays, complex.holomorphic": {"conj", "imag", "real"},
}  # fmt: skip


def functions():
    names = {name for name in Namespace.__annotations__ if name not in ("nn", "random")}
    return names | {f"nn.{name}" for name in NN.__annotations__}


def test_every_function_that_has_a_derivative_has_a_scenario():
    lacking = set().union(*WITHOUT.values())
    assert lacking <= functions()
    used = {name for row in ALL.values() for name in names_used(row)}
    assert used <= functions()
    assert functions() - used == lacking - used
    assert functions() - set(ALL) == lacking


def test_a_function_without_a_scenario_has_none_and_the_exception_has_its_check():
    assert not set().union(*WITHOUT.values()) & set(ALL)
    assert {"absent.stopped", "complex.holomorphic"} <= set(CHECKS)


def test_a_scenario_is_named_after_a_function_that_it_calls():
    for name, row in ALL.items():
        if name not in ("operators", "fan_out", "index"):
            assert any(f"{name}_".startswith(f"{each}_") for each in names_used(row))


def test_every_scenario_is_a_check_of_level_2():
    for name, row in ALL.items():
        check = CHECKS[f"gradient.{name}"]
        assert check.level == 2
        assert check.arguments == (row,)
