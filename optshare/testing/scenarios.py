"""What every function of `ops` must give: expressions, where, and their derivatives.

Each row: the expression, the domain of each array, and the derivative by each,
for functions that work element by element. Where no derivative is written, the
five-point difference of NumPy's value is the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from optshare.differences import PLACES, five_point
from optshare.namespace.completed import complete

MISH = "np.tanh(np.log1p(np.exp(x)))"
RELU = "np.where(x > 0, 1.0, 0.0)"
SIGMOID = "(1 / (1 + np.exp(-x)))"

LSTM = """ops.concat([ops.reshape(each, (-1,)) for each in ops.nn.lstm(
    ops.reshape(x, (2, 3, 2)),
    x[:2, :2],
    y[:2, 2:],
    ops.reshape(ops.concat([y, x[1:2]]), (2, 8)),
    ops.reshape(ops.concat([x[2:], y]), (2, 8)),
    ops.reshape(y[1:], (8,)),
)])"""
GRU = """ops.concat([ops.reshape(each, (-1,)) for each in ops.nn.gru(
    ops.reshape(x, (2, 3, 2)),
    x[:2, :2],
    ops.reshape(y, (2, 6)),
    ops.reshape(x, (2, 6)),
    ops.reshape(y[:, :2], (6,)),
    ops.reshape(x[:, 2:], (6,)),
)])"""


class Row(NamedTuple):
    """One scenario."""

    expression: str
    domains: str
    derivatives: tuple[str, ...] = ()


ELEMENTWISE = {
    "abs": Row("ops.abs(x)", "R", ("np.sign(x)",)),
    "acos": Row("ops.acos(x)", "U", ("-1 / np.sqrt(1 - x * x)",)),
    "acosh": Row("ops.acosh(x)", "G", ("1 / np.sqrt(x * x - 1)",)),
    "add": Row("ops.add(x, y)", "RR", ("np.ones_like(x)", "np.ones_like(y)")),
    "asin": Row("ops.asin(x)", "U", ("1 / np.sqrt(1 - x * x)",)),
    "asinh": Row("ops.asinh(x)", "R", ("1 / np.sqrt(1 + x * x)",)),
    "atan": Row("ops.atan(x)", "R", ("1 / (1 + x * x)",)),
    "atan2": Row("ops.atan2(x, y)", "PP", ("y / (x * x + y * y)", "-x / (x * x + y * y)")),
    "atanh": Row("ops.atanh(x)", "U", ("1 / (1 - x * x)",)),
    "clip": Row("ops.clip(x, -0.5, 0.5)", "R", ("np.where(abs(x) < 0.5, 1.0, 0.0)",)),
    "cos": Row("ops.cos(x)", "R", ("-np.sin(x)",)),
    "cosh": Row("ops.cosh(x)", "R", ("np.sinh(x)",)),
    "divide": Row("ops.divide(x, y)", "RP", ("1 / y", "-x / (y * y)")),
    "exp": Row("ops.exp(x)", "R", ("np.exp(x)",)),
    "expm1": Row("ops.expm1(x)", "R", ("np.exp(x)",)),
    "hypot": Row("ops.hypot(x, y)", "PP", ("x / np.hypot(x, y)", "y / np.hypot(x, y)")),
    "log": Row("ops.log(x)", "P", ("1 / x",)),
    "log10": Row("ops.log10(x)", "P", ("1 / (x * np.log(10.0))",)),
    "log1p": Row("ops.log1p(x)", "P", ("1 / (1 + x)",)),
    "log2": Row("ops.log2(x)", "P", ("1 / (x * np.log(2.0))",)),
    "logaddexp": Row(
        "ops.logaddexp(x, y)", "RR", ("1 / (1 + np.exp(y - x))", "1 / (1 + np.exp(x - y))")
    ),
    "maximum": Row("ops.maximum(x, y)", "RR", ("1.0 * (x > y)", "1.0 * (y > x)")),
    "minimum": Row("ops.minimum(x, y)", "RR", ("1.0 * (x < y)", "1.0 * (y < x)")),
    "multiply": Row("ops.multiply(x, y)", "RR", ("y", "x")),
    "negative": Row("ops.negative(x)", "R", ("-np.ones_like(x)",)),
    "positive": Row("ops.positive(x)", "R", ("np.ones_like(x)",)),
    "pow": Row("ops.pow(x, y)", "PR", ("y * x ** (y - 1)", "x**y * np.log(x)")),
    "reciprocal": Row("ops.reciprocal(x)", "P", ("-1 / (x * x)",)),
    "sin": Row("ops.sin(x)", "R", ("np.cos(x)",)),
    "sinh": Row("ops.sinh(x)", "R", ("np.cosh(x)",)),
    "sqrt": Row("ops.sqrt(x)", "P", ("0.5 / np.sqrt(x)",)),
    "square": Row("ops.square(x)", "R", ("2 * x",)),
    "subtract": Row("ops.subtract(x, y)", "RR", ("np.ones_like(x)", "-np.ones_like(y)")),
    "tan": Row("ops.tan(x)", "U", ("1 / np.cos(x) ** 2",)),
    "tanh": Row("ops.tanh(x)", "R", ("1 - np.tanh(x) ** 2",)),
    "where": Row("ops.where(x > 0.25, x, y)", "RR", ("1.0 * (x > 0.25)", "1.0 * (x <= 0.25)")),
    "astype": Row("ops.astype(x, x.dtype)", "R", ("np.ones_like(x)",)),
    "operators": Row("(-x + 2) * y / 3 - x**2", "RR", ("-y / 3 - 2 * x", "(2 - x) / 3")),
    "fan_out": Row("(2 * x) * (x + y)", "RR", ("4 * x + 2 * y", "2 * x")),
    "nn.relu": Row("ops.nn.relu(x)", "R", (RELU,)),
    "nn.leaky_relu": Row("ops.nn.leaky_relu(x, 0.1)", "R", ("np.where(x > 0, 1.0, 0.1)",)),
    "nn.elu": Row("ops.nn.elu(x)", "R", ("np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))",)),
    "nn.sigmoid": Row("ops.nn.sigmoid(x)", "R", (f"{SIGMOID} * (1 - {SIGMOID})",)),
    "nn.silu": Row("ops.nn.silu(x)", "R", (f"{SIGMOID} * (1 + x * (1 - {SIGMOID}))",)),
    "nn.softplus": Row("ops.nn.softplus(x)", "R", (SIGMOID,)),
    "nn.tanh": Row("ops.nn.tanh(x)", "R", ("1 - np.tanh(x) ** 2",)),
    "nn.celu": Row("ops.nn.celu(x, 0.5)", "R", ("np.exp(np.minimum(x, 0) / 0.5)",)),
    "nn.hardsigmoid": Row("ops.nn.hardsigmoid(2 * x)", "R", ("(abs(x) < 1.5) / 3.0",)),
    "nn.hardswish": Row(
        "ops.nn.hardswish(2 * x)", "R", ("(4 * x + 3) / 3 * (abs(x) < 1.5) + 2.0 * (x > 1.5)",)
    ),
    "nn.hardtanh": Row("ops.nn.hardtanh(x)", "R", ("1.0 * (abs(x) < 1)",)),
    "nn.logsigmoid": Row("ops.nn.logsigmoid(x)", "R", (f"1 - {SIGMOID}",)),
    "nn.mish": Row("ops.nn.mish(x)", "R", (f"{MISH} + x * (1 - {MISH}**2) * {SIGMOID}",)),
    "nn.relu6": Row("ops.nn.relu6(4 * x)", "R", ("4.0 * (x > 0) * (x < 1.5)",)),
    "nn.softsign": Row("ops.nn.softsign(x)", "R", ("1 / (1 + abs(x)) ** 2",)),
    "nn.tanhshrink": Row("ops.nn.tanhshrink(x)", "R", ("np.tanh(x) ** 2",)),
    "nn.gelu": Row("ops.nn.gelu(x)", "R"),
    "nn.selu": Row("ops.nn.selu(x)", "R"),
}

STRUCTURAL = {
    "sum": Row("ops.sum(x, axis=1)", "R"),
    "sum_keepdims": Row("ops.sum(x, axis=1, keepdims=True)", "R"),
    "sum_axes": Row("ops.sum(ops.expand_dims(x, axis=1) * y, axis=(0, 1))", "RR"),
    "mean_last": Row("ops.mean(x, axis=-1)", "R"),
    "mean": Row("ops.mean(x, axis=0, keepdims=True)", "R"),
    "max": Row("ops.max(x, axis=1)", "R"),
    "min": Row("ops.min(x, axis=0)", "R"),
    "prod": Row("ops.prod(x, axis=1)", "R"),
    "var": Row("ops.var(x, axis=1)", "R"),
    "std": Row("ops.std(x, axis=0)", "R"),
    "logsumexp": Row("ops.logsumexp(x, axis=1)", "R"),
    "cumulative_sum": Row("ops.cumulative_sum(x, axis=1)", "R"),
    "cumulative_prod": Row("ops.cumulative_prod(x, axis=1)", "R"),
    "diff": Row("ops.diff(x, axis=0)", "R"),
    "reshape": Row("ops.reshape(x, (4, 3))", "R"),
    "permute_dims": Row("ops.permute_dims(x, (1, 0))", "R"),
    "matrix_transpose": Row("ops.matrix_transpose(x)", "R"),
    "broadcast_to": Row("ops.broadcast_to(x, (2, 3, 4))", "R"),
    "expand_dims": Row("ops.expand_dims(x, axis=1)", "R"),
    "squeeze": Row("ops.squeeze(ops.expand_dims(x, axis=1), axis=1)", "R"),
    "concat": Row("ops.concat([x, y], axis=1)", "RR"),
    "stack": Row("ops.stack([x, y], axis=0)", "RR"),
    "flip": Row("ops.flip(x, axis=1)", "R"),
    "roll": Row("ops.roll(x, 1, axis=1)", "R"),
    "moveaxis": Row("ops.moveaxis(ops.expand_dims(x, axis=0), 2, 0)", "R"),
    "pad": Row("ops.pad(x, ((1, 0), (2, 1)))", "R"),
    "pad_number": Row("ops.pad(x, (0, 2), constant_values=0.5)", "R"),
    "repeat": Row("ops.repeat(x, 2, axis=1)", "R"),
    "tile": Row("ops.tile(x, (2, 3))", "R"),
    "unstack": Row("ops.unstack(x, axis=1)[3]", "R"),
    "take": Row("ops.take(x, ops.asarray(np.array([0, 2, 2])), axis=1)", "R"),
    "take_along_axis": Row(
        "ops.take_along_axis(x, ops.asarray(np.array([[0], [2], [2]])), axis=1)", "R"
    ),
    "matmul": Row("ops.matmul(x, y)", "RT"),
    "tensordot": Row("ops.tensordot(x, y, axes=1)", "RT"),
    "einsum": Row("ops.einsum('ij,jk->ik', x, y)", "RT"),
    "einsum_sum": Row("ops.einsum('ij,kj->k', x, y)", "RR"),
    "einsum_diagonal": Row("ops.einsum('iji->j', ops.broadcast_to(x, (4, 3, 4)))", "R"),
    "vecdot": Row("ops.vecdot(x, y)", "RR"),
    "index": Row("x[1, 1:]", "R"),
    "scan": Row("ops.scan(lambda c, a: (c * a + 1, c - a), x[0], y)[1]", "RR"),
    "nn.embedding": Row("ops.nn.embedding(ops.asarray(np.array([[0, 2], [2, 1]])), x)", "R"),
    "nn.lstm": Row(LSTM, "RR"),
    "nn.gru": Row(GRU, "RR"),
    "nn.softmax": Row("ops.nn.softmax(x)", "R"),
    "nn.log_softmax": Row("ops.nn.log_softmax(x)", "R"),
    "nn.conv": Row(
        "ops.nn.conv(ops.reshape(x, (1, 1, 3, 4)), ops.reshape(y, (3, 1, 2, 2)), "
        "stride=(1, 2), padding=1, dilation=(2, 1))",
        "RR",
    ),
    "nn.conv_groups": Row(
        "ops.nn.conv(ops.reshape(x, (1, 4, 3)), ops.reshape(y, (6, 2, 1)), groups=2)", "RR"
    ),
    "nn.conv_transpose": Row(
        "ops.nn.conv_transpose(ops.reshape(x, (1, 2, 2, 3)), ops.reshape(y, (2, 1, 3, 2)), "
        "stride=(2, 1), padding=1, output_padding=(1, 0))",
        "RR",
    ),
    "nn.max_pool": Row("ops.nn.max_pool(ops.reshape(x, (1, 1, 3, 4)), 2, stride=1)", "R"),
    "nn.mean_pool": Row("ops.nn.mean_pool(ops.reshape(x, (1, 1, 3, 4)), 2, padding=1)", "R"),
    "nn.cross_entropy": Row("ops.nn.cross_entropy(x, ops.asarray(np.array([0, 2, 2])))", "R"),
}

DOMAINS = {"R": (-2.0, 2.0), "P": (0.5, 2.0), "U": (-0.9, 0.9), "G": (1.2, 3.0), "T": (-2.0, 2.0)}
"""The numbers of an array: real, positive, within one, greater than one; real and transposed."""
SHAPE = (3, 4)

_reference: Any = complete(np)


def inputs(row: Row, shape: tuple[int, ...] = SHAPE) -> list[Any]:
    """Arrays in the domains of a row, always the same."""
    rng = np.random.default_rng(0)
    shapes = (shape[::-1] if each == "T" else shape for each in row.domains)
    return [
        rng.uniform(*DOMAINS[each], size) for each, size in zip(row.domains, shapes, strict=True)
    ]


def evaluated(expression: str, ops: Any, arrays: Sequence[Any]) -> Any:
    """The value of an expression of `ops`, x and y."""
    known = dict(zip("xy", arrays, strict=False))
    return eval(expression, {"ops": ops, "np": np, "math": math, **known})  # our rows


def value_of(row: Row, arrays: Sequence[Any]) -> Any:
    """NumPy's value."""
    return evaluated(row.expression, _reference, arrays)


def gradients_of(row: Row, arrays: Sequence[Any], weights: Any) -> list[Any]:
    """The gradients of `sum(expression * weights)`."""
    if row.derivatives:
        return [evaluated(each, _reference, arrays) * weights for each in row.derivatives]
    return [_difference(row, arrays, weights, place) for place in range(len(arrays))]


def _difference(row: Row, arrays: Sequence[Any], weights: Any, place: int) -> Any:
    """By the five-point rule; 1e-3 is about where its truncation is as small as its rounding."""
    step, found = 1e-3, np.zeros_like(arrays[place])

    def moved(index: tuple[int, ...], offset: float) -> float:
        changed = [np.array(each) for each in arrays]
        changed[place][index] += offset
        return float((value_of(row, changed) * weights).sum())

    for index in np.ndindex(found.shape):
        found[index] = five_point([moved(index, n * step) for n in PLACES], step)
    return found


def weights_of(row: Row) -> Any:
    """What the elements of the value are multiplied with before they are summed."""
    shape: tuple[int, ...] = value_of(row, inputs(row)).shape
    return np.random.default_rng(1).normal(size=shape)


def names_used(row: Row) -> list[str]:
    """The functions of `ops` that an expression calls."""
    return [each.partition("(")[0] for each in row.expression.split("ops.")[1:]]


def program(name: str, row: Row) -> str:
    """The smallest program that shows what a scenario asks."""
    names = "x, y" if len(row.domains) == 2 else "x,"
    return f"""\
import math
import numpy as np
from optshare import Parameter, registry
from optshare.testing.scenarios import ALL, gradients_of, inputs, value_of, weights_of

backend = registry.load({name!r})
ops = backend.ops
row = ALL[{_name_of(row)!r}]
arrays, weights = inputs(row), weights_of(row)
keys = [Parameter(ops.asarray(each)) for each in arrays]

def fn():
    {names} = (key.value for key in keys)
    return ops.sum(({row.expression}) * ops.asarray(weights))

with np.printoptions(precision=17):
    print("got", backend.gradient(fn, keys))
    print("wanted", (value_of(row, arrays) * weights).sum(), gradients_of(row, arrays, weights))"""


ALL = {**ELEMENTWISE, **STRUCTURAL}


def _name_of(row: Row) -> str:
    return next(name for name, each in ALL.items() if each is row)
