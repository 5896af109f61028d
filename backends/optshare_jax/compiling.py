"""Compiled functions of a model: traced once, and again only for what they capture."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple

from optshare.extend import ParameterError, is_constant
from optshare_jax import modules
from optshare_jax.arguments import Arguments, kinds_of
from optshare_jax.differentiation import Reading, values_of
from optshare_jax.library import jax, jax_core
from optshare_jax.precision import require_held
from optshare_jax.programs import fingerprint, lifted
from optshare_jax.recent import Recent
from optshare_jax.signatures import Signature, code_of
from optshare_jax.tracing import own_traces, refuse_staging, settings

MANY = 16
"""After how many programs of one function a warning comes."""

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
    """What the function is known by; alive, so that no other object gets its id."""


class Call(NamedTuple):
    """A function, what it is differentiated for, and what it may read."""

    fn: Callable[..., Any]
    keys: Sequence[Any]
    arguments: Arguments
    native: Sequence[Any]
    """The modules of a framework that the function may call."""


class Changed(Exception):  # noqa: N818 # no error: the function is traced again
    """A box has another shape or dtype than when the function was traced."""


class Compiling:
    """Calls functions by way of compiled programs, which it remembers.

    Args:
        run: what to compute of a `Reading`: its value, or gradients too.
        recording: whether dropout and batch statistics act.

    Copies and pickles remember nothing.
    """

    def __init__(self, run: Run, *, recording: bool) -> None:
        self._run, self._recording = run, recording
        self._traced = Recent()
        self._programs = Recent()
        self._native = Recent()
        self._known = Recent()
        """The boxes that the last function of a code read."""
        self._modal = Recent()
        """The layers whose mode a function asks for."""
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
        held = [*signature.held, *arguments.held, *keys]
        known_by = signature.key, arguments.fixed, tuple(map(id, keys))
        native = self._modules(known_by, held)
        call = Call(fn, keys, arguments, native)
        base = known_by, arguments.key, settings(), modules.structure(keys, native)
        while True:
            key = base, self._modes(known_by)
            traced = self._traced.recalled(key)
            if traced is None:
                traced = self._trace(call, [*held, *native])
                captured = [each for each in traced.captured if not is_constant(each)]
                if outside := captured or signature.written:
                    self._warn(fn, outside)
                else:
                    key = base, self._modes(known_by, traced.reading.modal, held)
                    self._traced.remember(key, traced)
                    self._native.remember(known_by, (native, held))
            try:
                return self._finished(traced, arguments)
            except Changed:
                self._traced.pop(key, None)

    def _modules(self, known_by: Hashable, held: Sequence[Any]) -> Sequence[Any]:
        """The modules of a framework that the function may call."""
        if not modules.is_loaded():
            return ()
        native, _ = self._native.recalled(known_by) or (None, ())
        return modules.modules_in(held) if native is None else native

    def _modes(
        self, known_by: Hashable, asked: Sequence[Any] = (), held: Sequence[Any] = ()
    ) -> Hashable:
        """The modes of the layers of which a function is known to ask, and now of others too."""
        before, _ = self._modal.recalled(known_by) or ((), ())
        layers = {id(each): each for each in (*before, *asked)}
        if len(layers) > len(before):
            self._modal.remember(known_by, (tuple(layers.values()), held))
        return tuple((place, each.training) for place, each in layers.items())

    def _trace(self, call: Call, held: list[Any]) -> Traced:
        """The function as a program."""
        reading, closed, shapes = self._read_exactly(call)
        # a key that is frozen later is read all the same
        self._known.remember(code_of(call.fn), [*reading.besides, *call.keys])
        reading.forget()
        closed, captured = lifted(closed)
        program = self._program(call.fn, closed, jax.tree_util.tree_structure(shapes))
        return Traced(reading, program, captured, held)

    def _read_exactly(self, call: Call) -> tuple[Reading, Any, Any]:
        """A trace whose inputs are all the boxes that the function reads, and no others."""
        given, companions = set(map(id, call.keys)), modules.companions(call.keys, call.native)
        guessed: Sequence[Any] = self._known.recalled(code_of(call.fn)) or ()
        others: dict[Any, None] = {box: None for box in guessed if id(box) not in given}
        is_guess = True
        while True:
            boxes = [*companions, *others]
            _settle([*call.keys, *boxes])
            found = self._read(call, boxes)
            read = found[0].besides
            if read.keys() == others.keys() or (not is_guess and read.keys() <= others.keys()):
                return found
            others, is_guess = read if is_guess else {**others, **read}, False

    def _read(self, call: Call, others: Sequence[Any]) -> tuple[Reading, Any, Any]:
        """One trace, as a jaxpr and the shapes of what comes out."""
        reading = Reading(call.fn, call.keys, others, call.arguments.fill, self._recording)
        inputs = values_of(call.keys), values_of(others), call.arguments.inputs
        with own_traces():
            traceable = jax.make_jaxpr(partial(self._run, reading), return_shape=True)
            return reading, *traceable(*inputs)

    def _program(self, fn: Callable[..., Any], closed: Any, structure: Any) -> Callable[..., Any]:
        key = fingerprint(closed), structure
        program = self._programs.recalled(key)
        if program is None:
            program = _compiled(closed, structure)
            self._programs.remember(key, program)
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


def _compiled(closed: Any, structure: Any) -> Callable[..., Any]:
    """A jaxpr as one compiled function, whose outputs have a structure."""
    run = jax_core.jaxpr_as_fun(closed)

    def program(*inputs: Any) -> Any:
        if kinds_of(inputs) != list(closed.in_avals):
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
