"""Level 2: values and gradients of every function that the backend has, and the conventions."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.errors import OptshareError
from optshare.parameter import Buffer
from optshare.testing import scenarios
from optshare.testing.check import Mismatch, check, require, require_close
from optshare.testing.scenarios import ALL, Row
from optshare.testing.subject import Subject

GRADIENT = "`gradient` returns the plain value, and one gradient for each key, in the keys' order."
ABSENT = "`None` where no path leads from the key to the value."
NUMBERS = "The functions are those of the Array API standard, with its values and derivatives."
KINKS = "relu'(0) = abs'(0) = 0; ties in max, min, maximum share the gradient evenly."
HIGHER = "`higher_order`: gradients can be differentiated, without confusing variables."
DTYPE = "Python scalars never widen an array, and a gradient has its parameter's dtype."


@check("gradient", 2, NUMBERS, cases={name: (row,) for name, row in ALL.items()})
def _function(subject: Subject, row: Row) -> None:
    for name in scenarios.names_used(row):
        subject.require_function(name)
    arrays = scenarios.inputs(row)
    wanted = scenarios.value_of(row, arrays)
    weights = np.random.default_rng(1).normal(size=wanted.shape)

    def loss(*tracked: Any) -> Any:
        found = scenarios.evaluated(row.expression, subject.ops, tracked)
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


@check("absent.unused", 2, ABSENT)
def _unused(subject: Subject) -> None:
    _, g, h = subject.gradients(lambda x, y: subject.ops.sum(x * 2), np.ones(2), np.ones(3))
    require_close(g, np.array([2.0, 2.0]), "of the one that is used")
    require(h is None, "an unused parameter has a gradient instead of None", got=h)


@check("absent.stopped", 2, "`stop_gradient(x)` gives the value of x as a constant.")
def _stopped(subject: Subject) -> None:
    stop = subject.ops.stop_gradient
    _, g = subject.gradients(lambda x: subject.ops.sum(stop(x) * x), np.array([2.0, 3.0]))
    require_close(g, np.array([2.0, 3.0]), "the constant was differentiated")


@check("absent.zero", 2, "A zero gradient is a gradient.")
def _zero(subject: Subject) -> None:
    _, g = subject.gradients(lambda x: subject.ops.sum(0 * x), np.array([2.0, 3.0]))
    require(g is not None, "a zero gradient is absent")
    require_close(g, np.zeros(2), "the gradient is not zero")


@check("gradient.again", 2, GRADIENT)
def _again(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    results: list[Any] = []
    for _ in range(3):
        value, (g,) = subject.backend.gradient(lambda: subject.ops.sum(key.value**2), [key])
        results.append((subject.host(value), subject.host(g)))
    for value, g in results[1:]:
        require_close(value, results[0][0], "the second call has another value")
        require_close(g, results[0][1], "the second call has another gradient")


@check("gradient.plain", 2, GRADIENT)
def _plain(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    kind = type(key.value)
    value, (g,) = subject.backend.gradient(lambda: subject.ops.sum(key.value**2), [key])
    require(type(g) is kind, "the gradient is no plain array", got=type(g), wanted=kind)
    require(float(value) == 5.0, "the value is no plain number", got=value, wanted=5.0)
    require(type(key.value) is kind, "the Parameter holds a tracked value", got=type(key.value))


@check("gradient.arguments", 2, "`gradient` calls `fn(*args)`.")
def _arguments(subject: Subject) -> None:
    key, x = subject.parameter([1.0, 2.0]), subject.array([3.0, 4.0])
    fn = lambda x, factor: subject.ops.sum(key.value * x) * factor  # noqa: E731 # as users write it
    value, (g,) = subject.backend.gradient(fn, [key], x, 2.0)
    require_close(subject.host(value), np.array(22.0), "the value")
    require_close(subject.host(g), np.array([6.0, 8.0]), "the gradient")


@check("gradient.fresh", 2, "A gradient shares no memory with a parameter or an argument.")
def _fresh(subject: Subject) -> None:
    key, x = subject.parameter([1.0, 2.0]), subject.array([3.0, 4.0])
    _, (g,) = subject.backend.gradient(lambda x: subject.ops.sum(key.value * x), [key], x)
    before = subject.host(x)
    subject.backend.update(key, subject.array([9.0, 9.0]))
    require_close(subject.host(g), before, "the gradient changed with the parameter")


@check("gradient.buffers", 2, "A Buffer written in a differentiation is written back, plain.")
def _buffers(subject: Subject) -> None:
    key, mean = subject.parameter([1.0, 2.0]), Buffer(subject.array([0.0, 0.0]))

    def fn() -> Any:
        mean.value = mean.value + key.value * 2
        return subject.ops.sum(key.value * mean.value)

    kind = type(mean.value)
    subject.backend.gradient(fn, [key])
    require(type(mean.value) is kind, "the Buffer holds a tracked value", got=type(mean.value))
    require_close(subject.host(mean.value), np.array([2.0, 4.0]), "the Buffer has other numbers")


@check("error.scalar", 2, "A loss that is not a scalar raises.")
def _scalar(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    try:
        subject.backend.gradient(lambda: key.value * 2, [key])
    except OptshareError:
        return
    raise Mismatch("a loss of shape (2,) was differentiated", "a gradient", "NonScalarLossError")


@check("dtype.float32", 2, DTYPE, dtype="float32")
def _float32(subject: Subject) -> None:
    key = subject.parameter([0.5, 2.0], "float32")
    fn = lambda: subject.ops.sum(2.5 * key.value**2 / 3 + 1)  # noqa: E731 # as users write it
    value, (g,) = subject.backend.gradient(fn, [key])
    for name, array in (("value", value), ("gradient", g)):
        found = str(getattr(array, "dtype", type(array)))
        require("float32" in found, f"the {name} was widened", got=found, wanted="float32")
    require_close(subject.host(g), np.array([2.5 / 3, 10 / 3]), "the gradient", rtol=1e-6)


@check("order.second", 2, HIGHER, needs=("higher_order",))
def _second(subject: Subject) -> None:
    key = subject.parameter([0.5, 2.0])

    def slope() -> Any:
        _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(key.value**3), [key])
        return subject.ops.sum(g * g)

    value, (g,) = subject.backend.gradient(slope, [key])
    x = np.array([0.5, 2.0])
    require_close(subject.host(value), np.array((9 * x**4).sum()), "the inner gradient")
    require_close(subject.host(g), 36 * x**3, "the outer gradient")


@check("order.mixed", 2, HIGHER, needs=("higher_order",))
def _mixed(subject: Subject) -> None:
    x, y = subject.parameter([2.0]), subject.parameter([3.0])

    def inner() -> Any:
        _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(x.value * y.value), [y])
        return subject.ops.sum(x.value * g)

    _, (g,) = subject.backend.gradient(inner, [x])
    require_close(subject.host(g), np.array([4.0]), "d/dx x * d/dy (x * y)")


@check("frozen.pruned", 2, "A Parameter that is no key reads as a constant.")
def _pruned(subject: Subject) -> None:
    key, other = subject.parameter([2.0]), subject.parameter([5.0])
    fn = lambda: subject.ops.sum(key.value * other.value)  # noqa: E731 # as users write it
    _, found = subject.backend.gradient(fn, [key])
    require(len(found) == 1, "a gradient for what is no key", got=len(found), wanted=1)
    require_close(subject.host(found[0]), np.array([5.0]), "the gradient")
