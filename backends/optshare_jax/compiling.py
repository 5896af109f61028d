"""Compiled functions of a model: traced once, and again only for what they capture."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from optshare.extend import Box, ParameterError
from optshare_jax import modules
from optshare_jax.differentiation import Reading, values_of
from optshare_jax.library import jax, jax_core
from optshare_jax.precision import require_held
from optshare_jax.programs import fingerprint, lifted
from optshare_jax.signatures import Signature, code_of
from optshare_jax.tracing import own_traces, refuse_staging

KEPT = 128
"""How many functions, and how many programs, one optimizer remembers."""

Run = Callable[[Reading, Any, Any, Any], Any]


class CapturedArrayWarning(UserWarning):
    """A function reads arrays that are not its arguments, and is traced again at each call."""


class Traced(NamedTuple):
    """A function as a program, with what goes in and comes out."""

    reading: Reading
    program: Callable[..., Any]
    captured: list[Any]
    held: list[Any]
    """Objects that the function is known by."""


class Changed(Exception):  # noqa: N818 # no error: the function is traced again
    """A box has another shape or dtype than when the function was traced."""


class Arguments:
    """The arguments of one call: arrays and numbers as inputs, everything else as it is."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        leaves, self._structure = jax.tree_util.tree_flatten(args, is_leaf=_is_opaque)
        self._is_input = [_is_input(each) for each in leaves]
        pairs = list(zip(leaves, self._is_input, strict=True))
        self.inputs = [each for each, is_input in pairs if is_input]
        self._fixed = [each for each, is_input in pairs if not is_input]
        self._signatures = [Signature(each) for each in self._fixed]
        kinds = tuple(_kinds(self.inputs))
        fixed = tuple(each.key for each in self._signatures)
        self.key: Hashable = self._structure, tuple(self._is_input), kinds, fixed

    @property
    def held(self) -> list[Any]:
        """The objects that the key knows by their ids."""
        return [thing for each in self._signatures for thing in each.held]

    def fill(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with other arrays."""
        arrays, fixed = iter(inputs), iter(self._fixed)
        leaves = [next(arrays) if each else next(fixed) for each in self._is_input]
        return jax.tree_util.tree_unflatten(self._structure, leaves)


def _kinds(arrays: Sequence[Any]) -> list[Any]:
    """The shape and dtype of each."""
    return [jax.typeof(each) for each in arrays]


def _is_opaque(thing: Any) -> bool:
    return isinstance(thing, Box) or modules.is_module(thing)


def _is_input(thing: Any) -> bool:
    if isinstance(thing, jax.Array | np.ndarray | np.number):
        return True
    return isinstance(thing, int | float | complex) and not isinstance(thing, bool)


class Compiling:
    """Calls functions by way of compiled programs, which it remembers.

    Args:
        run: what to compute of a `Reading`: its value, or gradients too.
        recording: whether dropout and batch statistics act.

    Copies and pickles remember nothing.
    """

    def __init__(self, run: Run, *, recording: bool) -> None:
        self._run, self._recording = run, recording
        self._traced: OrderedDict[Hashable, Traced] = OrderedDict()
        self._programs: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()
        self._known: dict[Any, None] = {}
        """Boxes that functions were seen to read."""
        self._warned: set[Hashable] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return _forgetful, (self._run, self._recording)

    def __call__(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The value of `fn(*args)`, and the gradient for each key, `None` where absent."""
        refuse_staging("a model was called")
        arguments, signature = Arguments(args), Signature(fn)
        require_held(*arguments.inputs, *(key.dtype for key in keys))
        identities = tuple(map(id, keys))
        key = signature.key, identities, arguments.key, modules.structure(keys)
        traced = self._traced.get(key)
        if traced is not None:
            try:
                return self._finished(traced, arguments)
            except Changed:
                del self._traced[key]
        traced = self._trace(fn, keys, arguments, [*signature.held, *arguments.held, *keys])
        if traced.captured:
            self._warn(fn, traced.captured)
        else:
            _remember(self._traced, key, traced)
        return self._finished(traced, arguments)

    def _trace(
        self, fn: Callable[..., Any], keys: Sequence[Any], arguments: Arguments, held: list[Any]
    ) -> Traced:
        """The function as a program; traced until everything that it reads is an input."""
        given = set(map(id, keys))
        companions = modules.companions(keys)
        while True:
            _settle([*keys, *companions, *self._known])
            others = [*companions, *(box for box in self._known if id(box) not in given)]
            reading = Reading(fn, keys, others, arguments.fill, self._recording)
            inputs = values_of(keys), values_of(others), arguments.inputs
            with own_traces():
                traceable = jax.make_jaxpr(partial(self._run, reading), return_shape=True)
                closed, shapes = traceable(*inputs)
            if not reading.missed:
                break
            self._known.update(dict.fromkeys(reading.missed))
        reading.forget()
        closed, captured = lifted(closed)
        program = self._program(closed, jax.tree_util.tree_structure(shapes))
        return Traced(reading, program, captured, held)

    def _program(self, closed: Any, structure: Any) -> Callable[..., Any]:
        key = fingerprint(closed), structure
        if key not in self._programs:
            _remember(self._programs, key, _compiled(closed, structure))
        return self._programs[key]

    def _finished(self, traced: Traced, arguments: Arguments) -> tuple[Any, list[Any]]:
        reading = traced.reading
        boxes = [*reading.keys, *reading.others]
        try:
            value, gradients, written = traced.program(
                *traced.captured, *values_of(boxes), *arguments.inputs
            )
        except (RuntimeError, ValueError) as error:
            _explain(error, boxes, arguments.inputs)
            raise
        reading.write(written)
        return value, reading.laid_out(gradients)

    def _warn(self, fn: Callable[..., Any], captured: Sequence[Any]) -> None:
        code = code_of(fn)
        if code in self._warned:
            return
        self._warned.add(code)
        kinds = ", ".join(f"{each.dtype}{list(each.shape)}" for each in captured)
        warnings.warn(
            f"the function reads {len(captured)} array(s) that are not its arguments ({kinds}), "
            f"so it is traced again at each call; pass them: opt.step(fn, *arrays)",
            CapturedArrayWarning,
            stacklevel=5,
        )


def _forgetful(run: Run, recording: bool) -> Compiling:
    return Compiling(run, recording=recording)


def _remember(memory: OrderedDict[Hashable, Any], key: Hashable, thing: Any) -> None:
    memory[key] = thing
    if len(memory) > KEPT:
        memory.popitem(last=False)


def _compiled(closed: Any, structure: Any) -> Callable[..., Any]:
    """A jaxpr as one compiled function, whose outputs have a structure."""
    run = jax_core.jaxpr_as_fun(closed)

    def program(*inputs: Any) -> Any:
        if _kinds(inputs) != list(closed.in_avals):
            raise Changed
        return jax.tree_util.tree_unflatten(structure, run(*inputs))

    return jax.jit(program)


def _settle(boxes: Sequence[Any]) -> None:
    """Commit arrays to their device, as updates do: a program is compiled for one or the other."""
    for box in boxes:
        array = box.stored
        if isinstance(array, jax.Array) and not array.committed and not array.is_deleted():
            box.stored = jax.device_put(array, array.sharding)


def _explain(error: Exception, boxes: Sequence[Any], inputs: Sequence[Any]) -> None:
    """Raise a clearer error for what JAX refuses to compute with."""
    stored = [box.stored for box in boxes]
    for array in (*stored, *inputs):
        if isinstance(array, jax.Array) and array.is_deleted():
            what = "an argument" if any(array is each for each in inputs) else "a parameter"
            raise ParameterError(
                f"{what} of shape {array.shape} was deleted or donated to another function; "
                f"give it a new value"
            ) from error
    if "incompatible devices" in str(error).lower():
        raise ParameterError(f"parameters and arguments are on several devices: {error}") from error
