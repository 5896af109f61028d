"""Level 7: errors, threads, memory."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import gc
import threading
import weakref
from contextlib import suppress
from typing import Any

import numpy as np

from optshare.overlay import current, recording
from optshare.parameter import Buffer
from optshare.testing.check import Mismatch, check, require, require_close
from optshare.testing.subject import Subject

REBUILDS = 1000
DEPTH = 3000


class _Stopped(Exception):  # noqa: N818 # not an error of anything
    pass


@check("robust.exception", 7, "An exception in the function leaves nothing behind.")
def _exception(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    kind, outside = type(key.value), current()

    def stops() -> Any:
        subject.ops.sum(key.value * key.value)
        raise _Stopped

    try:
        subject.backend.gradient(stops, [key])
    except _Stopped:
        pass
    else:
        raise Mismatch("the exception of the function is lost", None, "_Stopped")
    require(type(key.value) is kind, "the Parameter holds a tracked value", got=type(key.value))
    require(current() is outside and not recording(), "a differentiation is still going on")
    _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(key.value * key.value), [key])
    require_close(subject.host(g), np.array([2.0, 4.0]), "the next gradient is wrong")


@check("robust.exception_buffers", 7, "An exception in the function discards written Buffers.")
def _exception_buffers(subject: Subject) -> None:
    key, mean = subject.parameter([1.0]), Buffer(subject.array([5.0]))

    def stops() -> Any:
        mean.value = mean.value + key.value
        raise _Stopped

    with suppress(_Stopped):
        subject.backend.gradient(stops, [key])
    require_close(subject.host(mean.value), np.array([5.0]), "the Buffer was written")


@check("robust.threads", 7, "Threads do not see each other's differentiations.")
def _threads(subject: Subject) -> None:
    key, other = subject.parameter([1.0, 2.0]), subject.parameter([3.0])
    inside, go_on = threading.Event(), threading.Event()
    seen: list[Any] = []

    def slow() -> Any:
        inside.set()
        go_on.wait(10)
        return subject.ops.sum(key.value * key.value)

    def first() -> None:
        with subject.in_use():
            seen.append(subject.host(subject.backend.gradient(slow, [key])[1][0]))

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    try:
        kind = type(key.value)
        _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(other.value * 2), [other])
    finally:
        go_on.set()
        thread.join(10)
    require(kind is type(key.value), "another thread saw a tracked value", got=kind)
    require_close(subject.host(g), np.array([2.0]), "the gradient in the second thread")
    require(len(seen) == 1, "the first thread failed")
    require_close(seen[0], np.array([2.0, 4.0]), "the gradient in the first thread")


@check("robust.memory", 7, "A differentiation leaves nothing alive.")
def _memory(subject: Subject) -> None:
    alive: list[weakref.ref[Any]] = []
    for number in range(REBUILDS):
        key = subject.parameter([float(number), 1.0])
        subject.backend.gradient(lambda key=key: subject.ops.sum(key.value * key.value), [key])
        alive.append(weakref.ref(key))
        del key
    gc.collect()
    kept = sum(each() is not None for each in alive)
    require(kept <= 1, f"{kept} of {REBUILDS} Parameters are still alive", got=kept, wanted=0)


@check("robust.deep", 7, "A chain of operations may be longer than Python's recursion.")
def _deep(subject: Subject) -> None:
    key = subject.parameter([1.0])

    def chain() -> Any:
        x = key.value
        for _ in range(DEPTH):
            x = x + 1
        return subject.ops.sum(x * 2)

    value, (g,) = subject.backend.gradient(chain, [key])
    require_close(subject.host(value), np.array(2.0 * (DEPTH + 1)), "the value")
    require_close(subject.host(g), np.array([2.0]), "the gradient")


@check("robust.inputs", 7, "No input is mutated.")
def _inputs(subject: Subject) -> None:
    key, x = subject.parameter([1.0, 2.0]), subject.array([3.0, 4.0])
    fn = lambda x: subject.ops.sum((key.value + x) * x)  # noqa: E731 # as users write it
    subject.backend.gradient(fn, [key], x)
    require_close(subject.host(key.value), np.array([1.0, 2.0]), "the parameter was changed")
    require_close(subject.host(x), np.array([3.0, 4.0]), "the argument was changed")


@check("robust.kept", 7, "A gradient keeps its numbers after any later one.")
def _kept(subject: Subject) -> None:
    key = subject.parameter([1.0, 2.0])
    _, (first,) = subject.backend.gradient(lambda: subject.ops.sum(key.value * 3), [key])
    subject.backend.gradient(lambda: subject.ops.sum(key.value * 5), [key])
    require_close(subject.host(first), np.array([3.0, 3.0]), "an earlier gradient was changed")
