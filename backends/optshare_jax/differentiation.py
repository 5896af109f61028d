"""A function of users as a function of arrays: what it reads goes in, what it writes comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from optshare.extend import UnreachedParametersError, require_scalar
from optshare_jax import modules
from optshare_jax.library import jax, jnp, partial_eval
from optshare_jax.precision import require_held
from optshare_jax.signatures import Signature
from optshare_jax.tracing import InnerRead, Trace, own_traces

Arrays = Sequence[Any]


class Reading:
    """Calls a function with its keys, what else it reads, and its arguments as inputs.

    Args:
        fn: called with what `fill` makes of the arguments' arrays.
        keys: the parameters to differentiate for.
        others: boxes that it reads besides.
        fill: makes the arguments.
        recording: whether dropout and batch statistics act.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        keys: Arrays,
        others: Arrays,
        fill: Callable[[Arrays], tuple[Any, ...]],
        recording: bool = True,
    ) -> None:
        self.keys, self.others = list(keys), list(others)
        self.besides: dict[Any, None] = {}
        """The boxes that it read beside its keys."""
        self.written: list[Any] = []
        """The Buffers that it wrote."""
        self.modal: list[Any] = []
        """The layers whose mode it asked for."""
        self.reached: list[bool] = []
        """For each key, whether a path leads from it to the value."""
        self.was_read = False
        self.is_shared = False
        """Whether inner functions may reuse traces of other differentiations."""
        self._fn, self._fill, self._recording = fn, fill, recording

    def __call__(self, parameters: Arrays, others: Arrays, leaves: Arrays) -> tuple[Any, list[Any]]:
        """The value, and what was written into `self.written`."""
        boxes, values = [*self.keys, *self.others], [*parameters, *others]
        trace = Trace(self._recording, is_shared=self.is_shared)
        with trace as here, modules.installed(boxes, values) as changed:
            here.bind(boxes, values)
            value = self._fn(*self._fill(leaves))
            written = {**here.collected(), **changed()}
        given = set(map(id, self.keys))
        self.besides = {box: None for box in here.boxes if id(box) not in given}
        self.modal = list(here.modal.values())
        self.was_read = here.was_read
        self.written = list(written)
        return value, list(written.values())

    def plain(self, parameters: Arrays, others: Arrays, leaves: Arrays) -> tuple[Any, Any, Any]:
        """The value, no gradients, and what was written."""
        value, written = self(parameters, others, leaves)
        return value, [], written

    def differentiated(
        self, parameters: Arrays, others: Arrays, leaves: Arrays
    ) -> tuple[Any, list[Any], list[Any]]:
        """The value, the gradients of the keys that it depends on, and what was written."""

        def scalar(*arrays: Any) -> tuple[Any, list[Any]]:
            value, written = self(arrays, others, leaves)
            require_scalar(value)
            value = jnp.asarray(value)
            exact = not jnp.issubdtype(value.dtype, jnp.inexact)
            return value.astype(float) if exact else value, written

        value, pullback, written = jax.vjp(scalar, *parameters, has_aux=True)
        self.reached = _reached(pullback, parameters)
        if self.keys and not self.was_read and not any(self.reached):
            raise UnreachedParametersError(
                f"the function read none of the {len(self.keys)} parameters it was "
                f"differentiated for; does it use this model?"
            )
        found = zip(pullback(jnp.ones_like(value)), self.reached, strict=True)
        return value, [turned(gradient) for gradient, reached in found if reached], written

    def forget(self) -> None:
        """Let go of the function and its arguments; what they were is known now."""
        self._fn = self._fill = _forgotten

    def laid_out(self, gradients: Arrays) -> list[Any]:
        """The gradients parallel to the keys, `None` where no path leads to the value."""
        found = iter(gradients)
        return [next(found) if reached else None for reached in self.reached]

    def write(self, values: Arrays) -> None:
        """Write what came out into the Buffers."""
        for buffer, value in zip(self.written, values, strict=True):
            on_host = isinstance(buffer.stored, np.ndarray | np.generic)
            traced = isinstance(value, jax.core.Tracer)
            buffer.value = np.asarray(value, buffer.dtype) if on_host and not traced else value


def _forgotten(*args: Any) -> Any:
    raise RuntimeError("this reading was traced already")


def _reached(pullback: Any, parameters: Arrays) -> list[bool]:
    """For each parameter, whether its tangent enters the linear part of the function."""
    _, used = partial_eval.dce_jaxpr(pullback.jaxpr, True)
    pairs = zip(used, parameters, strict=True)
    return [enters and jnp.issubdtype(each.dtype, jnp.inexact) for enters, each in pairs]


def gradient(fn: Callable[..., Any], keys: Arrays, *args: Any) -> tuple[Any, list[Any]]:
    """The value of `fn(*args)` and its gradient for each key, one operation after the other."""
    others = _companions(fn, keys, args) if modules.is_loaded() else []
    parameters, rest = values_of(keys), values_of(others)
    require_held(*args, *(key for key in keys if not key.transient))
    reading = Reading(fn, keys, others, lambda leaves: args)
    try:
        reading.is_shared = not others  # a framework's module is not read by way of us
        with nullcontext() if reading.is_shared else own_traces():
            value, found, written = reading.differentiated(parameters, rest, ())
    except InnerRead:
        reading.is_shared = False
        with own_traces():
            value, found, written = reading.differentiated(parameters, rest, ())
    reading.write(written)
    return value, reading.laid_out(found)


def _companions(fn: Callable[..., Any], keys: Arrays, args: Arrays) -> list[Any]:
    """The other Variables of the modules that a function may call."""
    return modules.companions(keys, modules.modules_in([*keys, *args, *Signature(fn).held]))


def values_of(boxes: Arrays) -> list[Any]:
    """What boxes read as here."""
    return [box.value for box in boxes]


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Callable[[Any], list[Any]]]:
    """The value of `fn(*arrays)` and its pullback, `None` where no path leads to the value."""
    with own_traces():
        value, pullback = jax.vjp(fn, *arrays)
    reached = _reached(pullback, arrays)

    def pulled(g: Any) -> list[Any]:
        found = zip(pullback(turned(g)), reached, strict=True)
        return [turned(each) if is_reached else None for each, is_reached in found]

    return value, pulled


def turned(g: Any) -> Any:
    """A cotangent from JAX's convention in optshare's, or back: its conjugate."""
    return jnp.conj(g) if jnp.iscomplexobj(g) else g
