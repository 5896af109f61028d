"""Functions that bring their own backward pass: recomputed ones, and hand-written ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from optshare.extend import (
    DifferentiationError,
    Overlay,
    Parameter,
    Pullback,
    current_overlay,
)
from optshare_arrays.devices import is_on_device
from optshare_arrays.parts import turned
from optshare_arrays.primitives import Primitive, Traceable, plain
from optshare_arrays.untyped import np

Function = Callable[..., Any]
VJPOf = Callable[..., tuple[Any, Pullback]]


class Joint(Primitive):
    """A primitive whose one pullback gives the cotangents of all wanted arguments at once.

    It is called as `pullback(wanted, g, *args)`, and `saved=` if the primitive saves.
    """

    def __init__(self, forward: Function, pullback: Function, name: str) -> None:
        super().__init__(forward, name=name)
        self.pull = partial(_joint, pullback)

    def _mentioned(self, place: int) -> Callable[[int], bool]:
        return lambda argument: argument >= 0


def _joint(
    pullback: Function,
    places: Sequence[int],
    g: Any,
    ans: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Sequence[Any]:
    return pullback(places, g, *args, **kwargs)


class HandWritten(Joint):
    """A function whose author gives its value with residuals, and a backward pass from them."""

    saves = True

    def __init__(self, f: Function, forward: Function, backward: Function) -> None:
        super().__init__(f, partial(_by_hand, forward, backward, f.__name__), f.__name__)
        self._run = forward

    def run(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The value and its residuals."""
        return self._run(*args)


_NOT_SAVED: Any = object()


def _by_hand(
    forward: Function,
    backward: Function,
    name: str,
    wanted: Sequence[int],
    g: Any,
    *args: Any,
    saved: Any = _NOT_SAVED,
) -> list[Any]:
    if saved is _NOT_SAVED or any(isinstance(each, Traceable) for each in args):
        saved = forward(*args)[1]
    cotangents = backward(saved, turned(g))
    if len(cotangents) != len(args):
        raise DifferentiationError(
            f"backward of {name} gave {len(cotangents)} cotangents for {len(args)} arguments"
        )
    return [_apart(cotangents[place]) for place in wanted]


def _apart(cotangent: Any) -> Any:
    """A cotangent as VJPs have it, which shares no memory with what the author's function kept."""
    if cotangent is None:
        return None
    kept = isinstance(cotangent, np.ndarray) or is_on_device(cotangent)
    return turned(cotangent.copy() if kept else cotangent)


class _Logged(Overlay):
    """Gives plain values, and remembers what was read: Parameters as tracked outside, Buffers."""

    __slots__ = ("buffers", "parameters")

    def __init__(self) -> None:
        super().__init__(plain)
        outside = current_overlay()
        self.recording = outside is not None and outside.recording
        self.parameters: dict[Any, Any] = {}
        self.buffers: dict[Any, Any] = {}

    def read(self, box: Any) -> Any:
        if box not in self.parameters:
            alone = self._parent is None
            self.parameters[box] = box.outside() if alone else self.read_outside(box)
        return plain(self.parameters[box])

    def read_buffer(self, buffer: Any) -> Any:
        value = super().read_buffer(buffer)
        return self.buffers.setdefault(buffer, value) if buffer not in self._written else value


class _Replayed(Overlay):
    """Lets Buffers read as they did the first time, and keeps what is written to itself."""

    __slots__ = ("_buffers",)

    def __init__(self, buffers: dict[Any, Any], recording: bool) -> None:
        super().__init__(plain)
        self.recording = recording
        self._buffers = buffers

    def read_buffer(self, buffer: Any) -> Any:
        first = self._buffers if buffer not in self._written else {}
        return first[buffer] if buffer in first else super().read_buffer(buffer)

    def write_back(self, buffer: Any, value: Any) -> None:
        """Keep it here: the first run has written it back already."""


def checkpoint(vjp: VJPOf, f: Function) -> Function:
    """f, whose intermediate values are dropped and computed again in the backward pass.

    What f differentiates for are its array arguments and the Parameters that it
    reads. A tracked value that it reaches otherwise (in a closure) raises.
    """

    @wraps(f)
    def call(*args: Any) -> Any:
        if current_overlay() is None and not any(isinstance(each, Traceable) for each in args):
            return f(*args)
        with _Logged() as logged:
            value = f(*map(plain, args))
        if isinstance(value, Traceable):
            raise DifferentiationError(
                "a checkpointed function reached a tracked value that is no argument of it; "
                "pass it as an argument"
            )
        recomputed = Joint(
            lambda *inputs: value, _recompute(vjp, f, logged, len(args)), name="checkpoint"
        )
        return recomputed(*args, *logged.parameters.values())

    return call


def _recompute(vjp: VJPOf, f: Function, logged: _Logged, count: int) -> Function:
    boxes: list[Parameter] = list(logged.parameters)
    buffers, recording = logged.buffers, logged.recording

    def pullback(wanted: Sequence[int], g: Any, *inputs: Any) -> Sequence[Any]:
        def again(*tracked: Any) -> Any:
            values = list(inputs)
            for place, each in zip(wanted, tracked, strict=True):
                values[place] = each
            with _Replayed(buffers, recording) as replayed:
                replayed.bind(boxes, values[count:])
                return f(*values[:count])

        found = vjp(again, *(inputs[place] for place in wanted))[1](turned(g))
        return [each if each is None else turned(each) for each in found]

    return pullback


def custom_vjp(f: Function, forward: Function, backward: Function) -> Function:
    """f with a hand-written derivative.

    Args:
        f: the function, of arrays; called where nothing is differentiated.
        forward: `forward(*args) -> (value, residuals)`.
        backward: `backward(residuals, g) -> cotangents`, one for each argument, `None`
            for a constant; written in differentiable operations for higher orders.
    """
    primitive = HandWritten(f, forward, backward)

    @wraps(f)
    def call(*args: Any) -> Any:
        return primitive(*args)

    return call
