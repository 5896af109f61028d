"""Level 3: writing values back."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from optshare.errors import OptshareError
from optshare.optimizer import Optimizer
from optshare.rules import SGD
from optshare.testing.check import Mismatch, check, require, require_close
from optshare.testing.subject import Subject, kind_of

UPDATE = "`update` writes a new value back. It knows no rule."


@check("update.writes", 3, UPDATE)
def _writes(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    subject.backend.update(key, subject.array([3.0, 4.0]))
    require_close(subject.host(key.value), np.array([3.0, 4.0]), "the value was not written")


@check("update.assigned", 3, "`p.value = ...` takes Python numbers, as the engine's array.")
def _assigned(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    kind = kind_of(key.value)
    key.value = [3.0, 4.0]
    require(type(key.value) is kind, "another type of array", got=type(key.value), wanted=kind)
    require_close(subject.host(key.value), np.array([3.0, 4.0]), "the value was not written")


@check("update.kind", 3, "A Parameter keeps its engine, dtype and shape.")
def _kind(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    kind = kind_of(key.value)
    dtype = key.dtype
    subject.backend.update(key, subject.array([3.0, 4.0]))
    require(type(key.value) is kind, "another type of array", got=type(key.value), wanted=kind)
    require(key.dtype == dtype, "another dtype", got=key.dtype, wanted=dtype)


@check("update.read", 3, "The next gradient is taken at the new value.")
def _read(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    for number in (1.0, 3.0):
        subject.backend.update(key, subject.array([number, number]))
        _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(key.value**2), [key])
        require_close(subject.host(g), np.full(2, 2 * number), "the gradient at an old value")


@check("update.shape", 3, "A value of another shape is refused, and nothing is changed.")
def _shape(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    try:
        subject.backend.update(key, subject.array([3.0, 4.0, 5.0]))
    except OptshareError:
        require_close(subject.host(key.value), np.array([1.0, 2.0]), "it was changed all the same")
        return
    raise Mismatch("a value of another shape was written", key.shape, "ParameterError")


STRETCHED = "A value of another shape is refused, not stretched."
WRONG = {"one": ([3.0],), "scalar": (3.0,), "row": ([[3.0, 4.0]],)}


@check(
    "update.broadcast",
    3,
    "A value of another shape is refused, not stretched.",
    cases=WRONG,
    after="update.shape",
)
def _broadcast(subject: Subject, value: Any) -> None:
    key = subject.parameter([1.0, 2.0])
    try:
        subject.backend.update(key, subject.array(value))
    except OptshareError:
        require_close(subject.host(key.value), np.array([1.0, 2.0]), "it was changed all the same")
        return
    raise Mismatch("a value of another shape was written", key.shape, "ParameterError")


@check("update.dtype", 3, "A Parameter keeps its engine, dtype and shape.", dtype="float32")
def _dtype(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0], "float32")
    dtype = key.dtype
    with suppress(OptshareError):
        subject.backend.update(key, subject.array([3.0, 4.0], "float64"))
    require(key.dtype == dtype, "another dtype was taken", got=key.dtype, wanted=dtype)


@check("update.steps", 3, "An optimizer's step is a new call of the function.")
def _steps(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    opt = Optimizer([key], SGD(lr=1.0))
    for number, wanted in ((1.0, [0.0, 1.0]), (2.0, [-2.0, -1.0]), (3.0, [-5.0, -4.0])):
        row = subject.array([number, number])
        opt.step(lambda x: subject.ops.sum(key.value * x), row)
        require_close(subject.host(key.value), np.array(wanted), f"after the step with {number}")


@check("update.apart", 3, "A Parameter shares no memory with an array that is written later.")
def _apart(subject: Subject) -> None:
    one, other = subject.parameter([1.0, 2.0]), subject.parameter([5.0, 6.0])
    subject.backend.update(other, one.value)
    Optimizer([one], SGD(lr=1.0)).update([subject.array([1.0, 1.0])])
    require_close(subject.host(other.value), np.array([1.0, 2.0]), "it changed with another one")


@check("update.optimizer", 3, "An optimizer subtracts its rule's step from the value.")
def _optimizer(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    opt = Optimizer({"w": key}, SGD(lr=0.5))
    loss = opt.step(lambda: subject.ops.sum(key.value**2))
    require(float(loss) == 5.0, "the loss", got=float(loss), wanted=5.0)
    require_close(subject.host(key.value), np.array([0.0, 0.0]), "the value after a step")


@check("update.gradient", 3, "Gradients are never mutated.")
def _gradient(subject: Subject) -> None:
    key, g = subject.parameter([1.0, 2.0]), subject.array([1.0, 1.0])
    Optimizer([key], SGD(lr=0.5, momentum=0.9, weight_decay=0.1)).update([g])
    require_close(subject.host(g), np.ones(2), "the gradient was written into")


@check("update.frozen", 3, "A frozen Parameter keeps its value.")
def _frozen(subject: Subject) -> None:
    key, other = subject.parameter([1.0]), subject.parameter([2.0])
    key.frozen = True
    opt = Optimizer([key, other], SGD(lr=0.5))
    opt.step(lambda: subject.ops.sum(key.value * other.value))
    require_close(subject.host(key.value), np.array([1.0]), "the frozen one moved")
    require_close(subject.host(other.value), np.array([1.5]), "the other one did not")
