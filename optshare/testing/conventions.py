"""Level 2: the conventions: what is absent, fresh, refused, and of which order and dtype."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.backend import seam_of
from optshare.errors import OptshareError, UnreachedParametersError
from optshare.overlay import current
from optshare.parameter import Buffer
from optshare.testing.check import Mismatch, check, require, require_close
from optshare.testing.gradients import DTYPE
from optshare.testing.subject import Subject

GRADIENT = "`gradient` returns the plain value, and one gradient for each key, in the keys' order."
FRESH = "What `gradient` returns shares no memory with what is written later."
ABSENT = "`None` where no path leads from the key to the value."
HIGHER = "`higher_order`: gradients can be differentiated, without confusing variables."


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
    require_close(subject.host(x), np.array([3.0, 4.0]), "the argument was written")


def _overwrite(subject: Subject, array: Any) -> None:
    """Write into an array as an optimizer does, where the engine lets it."""
    seam = seam_of(subject.backend)
    view = seam.host_view(array) if subject.capabilities.inplace else None
    if view is not None:
        view += 100.0
        seam.written(array)


LOSSES: dict[str, tuple[Callable[..., Any]]] = {
    "argument": (lambda ops, w, v, x: ops.sum(w * x),),
    "other": (lambda ops, w, v, x: ops.sum(w * v),),
    "itself": (lambda ops, w, v, x: ops.sum(w * w) * 0.5,),
    "value": (lambda ops, w, v, x: ops.reshape(w[:1], ()),),
}


@check("fresh", 2, FRESH, cases=LOSSES)
def _fresh(subject: Subject, fn: Callable[..., Any]) -> None:
    w, v = subject.parameter([1.0, 2.0]), subject.parameter([5.0, 6.0])
    x = subject.array([3.0, 4.0])
    loss = lambda x: fn(subject.ops, w.value, v.value, x)  # noqa: E731 # as users write it
    value, gradients = subject.backend.gradient(loss, [w, v], x)
    found = [each for each in (value, *gradients) if each is not None]
    before = [subject.host(each) for each in found]
    for each in (w.value, v.value, x):
        _overwrite(subject, each)
    for got, wanted in zip(found, before, strict=True):
        require_close(subject.host(got), wanted, "it changed with a parameter or an argument")


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


@check("error.unreached", 2, "A loss that reads none of the parameters raises.")
def _unreached(subject: Subject) -> None:
    key, x, outside = subject.parameter([1.0, 2.0]), subject.array([1.0, 2.0]), current()
    try:
        subject.backend.gradient(lambda: subject.ops.sum(x * x), [key])
    except UnreachedParametersError:
        require(current() is outside, "a differentiation is still going on")
        return
    raise Mismatch("differentiated without parameters", "a value", "UnreachedParametersError")


@check("vjp.seed", 2, "`vjp` returns the plain value, and a pullback of any seed.", needs=("vjp",))
def _seed(subject: Subject) -> None:
    backend: Any = subject.backend
    x, y, z = (subject.array(each) for each in ([1.0, 2.0], [3.0, 4.0], [5.0]))
    value, pullback = backend.vjp(lambda x, y, z: x * y, x, y, z)
    require(type(value) is type(x), "the value is no plain array", got=type(value), wanted=type(x))
    g, h, k = pullback(subject.array([1.0, 10.0]))
    require_close(subject.host(g), np.array([3.0, 40.0]), "the cotangent of the first")
    require_close(subject.host(h), np.array([1.0, 20.0]), "the cotangent of the second")
    require(k is None, "a cotangent where no path leads", got=k)


@check("dtype.float32", 2, DTYPE, dtype="float32")
def _float32(subject: Subject) -> None:
    key = subject.parameter([0.5, 2.0], "float32")
    fn = lambda: subject.ops.sum(2.5 * key.value**2 / 3 + 1)  # noqa: E731 # as users write it
    value, (g,) = subject.backend.gradient(fn, [key])
    for name, array in (("value", value), ("gradient", g)):
        found = str(getattr(array, "dtype", type(array)))
        require("float32" in found, f"the {name} was widened", got=found, wanted="float32")
    require_close(subject.host(g), np.array([2.5 / 3, 10 / 3]), "the gradient", rtol=1e-6)


@check("dtype.float16", 2, DTYPE, dtype="float16")
def _float16(subject: Subject) -> None:
    key = subject.parameter([0.5, 2.0], "float16")
    _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(2.5 * key.value * key.value), [key])
    require("float16" in str(g.dtype), "the gradient was widened", got=str(g.dtype))
    require_close(subject.host(g), np.array([2.5, 10.0]), "the gradient", rtol=1e-3)


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


@check("order.refused", 2, "Without `higher_order`, a differentiation inside another one raises.")
def _refused(subject: Subject) -> None:
    if subject.capabilities.higher_order:
        return
    key = subject.parameter([0.5, 2.0])

    def slope() -> Any:
        _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(key.value**3), [key])
        return subject.ops.sum(g * g)

    try:
        _, (g,) = subject.backend.gradient(slope, [key])
    except OptshareError:
        return
    require(g is not None, "the outer gradient is lost in silence", got=g)
    require_close(subject.host(g), 36 * np.array([0.5, 2.0]) ** 3, "it is wrong in silence")


@check("frozen.pruned", 2, "A Parameter that is no key reads as a constant.")
def _pruned(subject: Subject) -> None:
    key, other = subject.parameter([2.0]), subject.parameter([5.0])
    fn = lambda: subject.ops.sum(key.value * other.value)  # noqa: E731 # as users write it
    _, found = subject.backend.gradient(fn, [key])
    require(len(found) == 1, "a gradient for what is no key", got=len(found), wanted=1)
    require_close(subject.host(found[0]), np.array([5.0]), "the gradient")
