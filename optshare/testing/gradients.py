"""Level 2: values and gradients of every function that the backend has, and the conventions."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.testing import scenarios
from optshare.testing.check import Mismatch, check, require, require_close
from optshare.testing.scenarios import ALL, Row
from optshare.testing.subject import Subject

UNWRITTEN = "Arguments are never written."
NUMBERS = "The functions are those of the Array API standard, with its values and derivatives."
KINKS = "relu'(0) = abs'(0) = 0; ties in max, min, maximum share the gradient evenly."
DTYPE = "Python scalars never widen an array, and a gradient has its parameter's dtype."


CASES = {name: (row,) for name, row in ALL.items()}


@check("gradient", 2, NUMBERS, cases=CASES)
def _function(subject: Subject, row: Row) -> None:
    for name in scenarios.names_used(row):
        subject.require_function(name)
    arrays = scenarios.inputs(row)
    wanted = scenarios.value_of(row, arrays)
    weights = scenarios.weights_of(row)

    def loss(*tracked: Any) -> Any:
        found = scenarios.evaluated(row.expression, subject.ops, tracked)
        shape = tuple(getattr(found, "shape", ()))
        require(shape == wanted.shape, "another shape", got=shape, wanted=wanted.shape)
        return subject.ops.sum(found * subject.array(weights))

    value, *found = subject.gradients(loss, *arrays)
    text = scenarios.program(subject.name, row)
    require_close(value, (wanted * weights).sum(), "the value is wrong", 1e-12, text)
    expected = scenarios.gradients_of(row, arrays, weights)
    tolerance = 1e-12 if row.derivatives else 1e-8
    for place, (got, want) in enumerate(zip(found, expected, strict=True)):
        if got is None:
            raise Mismatch(f"the gradient of argument {place} is absent", None, want, text)
        require_close(got, want, f"the gradient of argument {place} is wrong", tolerance, text)


def _sum_of(name: str) -> Callable[[Subject], Callable[..., Any]]:
    def make(subject: Subject) -> Callable[..., Any]:
        *path, last = name.split(".")
        owner = subject.ops.nn if path else subject.ops
        return lambda *x: subject.ops.sum(getattr(owner, last)(*x))

    return make


AT_KINKS = {
    "abs": ("abs", [[0.0]], [[0.0]]),
    "relu": ("nn.relu", [[0.0, -1.0, 2.0]], [[0.0, 0.0, 1.0]]),
    "maximum": ("maximum", [[1.0, 2.0], [1.0, 0.0]], [[0.5, 1.0], [0.5, 0.0]]),
    "minimum": ("minimum", [[1.0, 2.0], [1.0, 0.0]], [[0.5, 0.0], [0.5, 1.0]]),
    "max": ("max", [[3.0, 1.0, 3.0]], [[0.5, 0.0, 0.5]]),
    "min": ("min", [[3.0, 1.0, 1.0]], [[0.0, 0.5, 0.5]]),
    "nn.max_pool": ("nn.max_pool", [[[[3.0, 3.0, 1.0, 2.0]]]], [[[[0.5, 0.5, 0.0, 1.0]]]], 2),
    "clip": ("clip", [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 0.5, 1.0, 0.5, 0.0]], 0.0, 1.0),
}


@check("kink", 2, KINKS, cases=AT_KINKS)
def _kink(subject: Subject, name: str, arrays: Any, wanted: Any, *options: float) -> None:
    subject.require_function(name)
    function = _sum_of(name)(subject)
    _, *found = subject.gradients(lambda *x: function(*x, *options), *map(np.array, arrays))
    for got, want in zip(found, wanted, strict=True):
        require_close(got, np.array(want), "the derivative at the kink is another")


BROADCAST = {
    "row": ((3, 4), (4,)),
    "column": ((3, 4), (3, 1)),
    "both": ((3, 1), (1, 4)),
    "scalar": ((3, 4), ()),
    "more_axes": ((2, 3, 4), (3, 4)),
}


@check("broadcasting", 2, NUMBERS, cases=BROADCAST)
def _broadcast(subject: Subject, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=one), rng.normal(size=other)
    _, g, h = subject.gradients(lambda x, y: subject.ops.sum(x * y + y), x, y)
    ones = np.ones(np.broadcast_shapes(one, other))
    require_close(g, _summed(ones * y, one), "of the first")
    require_close(h, _summed(ones * x + ones, other), "of the second")


def _summed(g: Any, shape: tuple[int, ...]) -> Any:
    """A gradient summed over what broadcasting stretched."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=stretched, keepdims=True)


@check("gradient.box_operators", 2, "A Parameter acts as its value under Python's operators.")
def _operators(subject: Subject) -> None:
    key = subject.parameter([[1.0, 2.0], [3.0, 4.0]])
    x = np.array([[0.5, -1.0], [2.0, 0.25]])
    given = subject.array(x)
    fn = lambda x: subject.ops.sum(x @ key + (x * key - key) / 2)  # noqa: E731 # as users write it
    value, (g,) = subject.backend.gradient(fn, [key], given)
    w = np.array([[1.0, 2.0], [3.0, 4.0]])
    require_close(subject.host(value), (x @ w + (x * w - w) / 2).sum(), "the value")
    require_close(subject.host(g), x.T @ np.ones((2, 2)) + (x - 1) / 2, "the gradient")


@check("gradient.tracked_box", 2, "A Parameter acts as its value beside a tracked array.")
def _tracked_operators(subject: Subject) -> None:
    key, other = subject.parameter([1.0, 2.0]), subject.parameter([3.0, 4.0])
    fn = lambda: subject.ops.sum((key.value * 2) * other + (key.value - other))  # noqa: E731 # as users write it
    _, (g, h) = subject.backend.gradient(fn, [key, other])
    require_close(subject.host(g), np.array([7.0, 9.0]), "the gradient of the first")
    require_close(subject.host(h), np.array([1.0, 3.0]), "the gradient of the second")


@check("gradient.zero_axes", 2, "An array without axes is an array.")
def _zero_axes(subject: Subject) -> None:
    value, g = subject.gradients(lambda x: x * x * x, np.array(2.0))
    require_close(value, np.array(8.0), "the value")
    require_close(g, np.array(12.0), "the gradient")


@check("gradient.empty", 2, "An array without elements has an empty gradient.")
def _empty(subject: Subject) -> None:
    value, g = subject.gradients(lambda x: subject.ops.sum(x * x), np.zeros((0, 3)))
    require_close(value, np.array(0.0), "the value")
    require_close(g, np.zeros((0, 3)), "the gradient")


@check("gradient.strided", 2, "Arrays need not be contiguous.")
def _strided(subject: Subject) -> None:
    x = np.arange(24.0).reshape(4, 6)[::-2, ::3]
    _, g = subject.gradients(lambda x: subject.ops.sum(x * x), x)
    require_close(g, 2 * x, "of a strided array")


@check("gradient.transposed", 2, "Arrays need not be contiguous.")
def _transposed(subject: Subject) -> None:
    for view in (np.arange(6.0).reshape(2, 3).T, np.arange(24.0).reshape(4, 6)[::-2, ::3]):
        given, key = subject.ops.asarray(view.copy(order="K")), subject.parameter(view.copy())
        require_close(subject.host(given), view, "asarray of an array in another order")
        fn = lambda x, key=key: subject.ops.sum(key.value * x)  # noqa: E731 # as users write it
        _, (g,) = subject.backend.gradient(fn, [key], given)
        require_close(subject.host(g), view, "with an array in another order")


@check("gradient.inputs", 2, UNWRITTEN, cases=CASES, after="gradient")
def _unwritten(subject: Subject, row: Row) -> None:
    if subject.holds_still():
        return
    for name in scenarios.names_used(row):
        subject.require_function(name)
    hosts = scenarios.inputs(row)
    arrays = [subject.array(each) for each in hosts]
    scenarios.evaluated(row.expression, subject.ops, arrays)
    for array, host in zip(arrays, hosts, strict=True):
        require_close(subject.host(array), host, "an argument was written")


@check("gradient.integers", 2, "Arguments may be integers.")
def _integers(subject: Subject) -> None:
    key, x = subject.parameter([1.0, 2.0, 3.0]), subject.array([0, 2, 5])
    fn = lambda x: subject.ops.sum(key.value * x)  # noqa: E731 # as users write it
    value, (g,) = subject.backend.gradient(fn, [key], x)
    require_close(subject.host(value), np.array(19.0), "the value")
    require_close(subject.host(g), np.array([0.0, 2.0, 5.0]), "the gradient")


@check("gradient.read_only", 2, "Arguments are never written.")
def _read_only(subject: Subject) -> None:
    key, x = subject.parameter([1.0, 2.0]), np.array([3.0, 4.0])
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that it has no read-only tensors
        given = subject.ops.asarray(x)
    _, (g,) = subject.backend.gradient(lambda x: subject.ops.sum(key.value * x), [key], given)
    require_close(subject.host(g), np.array([3.0, 4.0]), "with a read-only argument")


@check("gradient.repeated", 2, "A parameter that is read twice has the sum of its gradients.")
def _repeated(subject: Subject) -> None:
    _, g = subject.gradients(lambda x: subject.ops.sum(x * x + 3 * x), np.array([1.0, 2.0]))
    require_close(g, np.array([5.0, 7.0]), "read in two places")


@check("dtype.functions", 2, DTYPE, dtype="float32", cases=CASES, after="gradient")
def _keeps(subject: Subject, row: Row) -> None:
    for name in scenarios.names_used(row):
        subject.require_function(name)
    hosts = scenarios.inputs(row)
    arrays = [subject.array(each, "float32") for each in hosts]
    found = scenarios.evaluated(row.expression, subject.ops, arrays)
    dtype = str(found.dtype)
    require(dtype.endswith("float32"), "the value was widened", got=dtype, wanted="float32")
    require_close(subject.host(found), scenarios.value_of(row, hosts), "the value", 1e-4)
