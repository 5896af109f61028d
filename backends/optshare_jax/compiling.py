"""Compiled functions of a model: traced once, and again only for what they capture."""

from __future__ import annotations

import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
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
from optshare_jax.tracing import own_traces, refuse_staging, settings

MANY = 16
"""After how many programs of one function a warning comes."""

KEPT = 128
"""How many functions, and how many programs, one optimizer remembers."""

Run = Callable[[Reading, Any, Any, Any], Any]


class CapturedArrayWarning(UserWarning):
    """A function reads arrays that are not its arguments, and is traced again at each call."""


class RecompilationWarning(UserWarning):
    """A function is compiled again and again."""


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
        self.fixed: Hashable = tuple(each.key for each in self._signatures)
        self.key: Hashable = self._structure, tuple(self._is_input), kinds, self.fixed

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
        self._native: OrderedDict[Hashable, list[Any]] = OrderedDict()
        self._known: OrderedDict[Hashable, dict[Any, None]] = OrderedDict()
        """Boxes that functions were seen to read, by their code."""
        self._compilations: Counter[Hashable] = Counter()
        self._warned: set[Hashable] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return _forgetful, (self._run, self._recording)

    def __call__(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The value of `fn(*args)`, and the gradient for each key, `None` where absent."""
        refuse_staging("a model was called")
        arguments, signature = Arguments(args), Signature(fn)
        require_held(*arguments.inputs, *keys)
        identities = tuple(map(id, keys)), settings()
        native = self._modules(signature, arguments, keys)
        key = signature.key, identities, arguments.key, modules.structure(keys, native)
        while True:
            traced = _recalled(self._traced, key)
            if traced is None:
                held = [*signature.held, *arguments.held, *keys, *native]
                traced = self._trace(fn, keys, arguments, native, held)
                if outside := traced.captured or signature.written:
                    self._warn(fn, outside)
                else:
                    _remember(self._traced, key, traced)
            try:
                return self._finished(traced, arguments)
            except Changed:
                self._traced.pop(key, None)

    def _modules(
        self, signature: Signature, arguments: Arguments, keys: Sequence[Any]
    ) -> Sequence[Any]:
        """The modules of a framework that the function may call."""
        key = signature.key, arguments.fixed
        if key not in self._native:
            found = modules.modules_in([*keys, *signature.held, *arguments.held])
            _remember(self._native, key, found)
        return self._native[key]

    def _trace(
        self,
        fn: Callable[..., Any],
        keys: Sequence[Any],
        arguments: Arguments,
        native: Sequence[Any],
        held: list[Any],
    ) -> Traced:
        """The function as a program; traced until everything that it reads is an input."""
        given = set(map(id, keys))
        companions = modules.companions(keys, native)
        known: dict[Any, None] = _recalled(self._known, code_of(fn)) or {}
        while True:
            _settle([*keys, *companions, *known])
            others = [*companions, *(box for box in known if id(box) not in given)]
            reading = Reading(fn, keys, others, arguments.fill, self._recording)
            inputs = values_of(keys), values_of(others), arguments.inputs
            with own_traces():
                traceable = jax.make_jaxpr(partial(self._run, reading), return_shape=True)
                closed, shapes = traceable(*inputs)
            if not reading.missed:
                break
            known = {**known, **dict.fromkeys(reading.missed)}
        # a key that is frozen later is read all the same
        _remember(self._known, code_of(fn), {**known, **dict.fromkeys(keys)})
        reading.forget()
        closed, captured = lifted(closed)
        program = self._program(fn, closed, jax.tree_util.tree_structure(shapes))
        return Traced(reading, program, captured, held)

    def _program(self, fn: Callable[..., Any], closed: Any, structure: Any) -> Callable[..., Any]:
        key = fingerprint(closed), structure
        program = _recalled(self._programs, key)
        if program is None:
            program = _compiled(closed, structure)
            _remember(self._programs, key, program)
            self._count(code_of(fn))
        return program

    def _count(self, code: Hashable) -> None:
        self._compilations[code] += 1
        if self._compilations[code] == MANY:
            warnings.warn(
                f"the function was compiled {MANY} times; numbers that change from step to step, "
                f"and arguments of ever other shapes, make other programs: pass the numbers as "
                f"arguments, opt.step(fn, *args)",
                RecompilationWarning,
                stacklevel=7,
            )

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


def _recalled(memory: OrderedDict[Hashable, Any], key: Hashable) -> Any:
    found = memory.get(key)
    if found is not None:
        with suppress(KeyError):  # another thread may have let it go
            memory.move_to_end(key)
    return found


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
