"""Where JAX stands: which of its traces is going on, and what that forbids."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from optshare.extend import DifferentiationError, EscapedValueError, Overlay
from optshare_jax.library import jax, jax_core

_context = jax.make_user_context()
_fresh = itertools.count(1)
with jax.ensure_compile_time_eval():
    _TOP = jax_core.get_opaque_trace_state()
_under_jit: Callable[[], bool] = jax_core.unsafe_am_i_under_a_jit_DO_NOT_USE


def own_traces() -> Any:
    """A `with` in which inner `jit`, `scan`, `cond` and `checkpoint` reuse no earlier trace."""
    return _context(next(_fresh))


def is_staged() -> bool:
    """Whether JAX is making a program here, in which an array would become a constant."""
    return jax_core.get_opaque_trace_state() != _TOP and _under_jit()


def refuse_staging(what: str) -> None:
    """Raise where a stored array would become a constant of a compiled program."""
    if is_staged():
        raise EscapedValueError(
            f"{what} inside a function that JAX compiles, which would keep today's values for "
            f"ever; call optshare_jax.jit(model), or opt.step(fn, *args), outside of jax.jit, "
            f"scan and cond"
        )


class Trace(Overlay):
    """An overlay for one trace: what is read beyond the inputs is noted, writes are outputs."""

    __slots__ = ("_level", "missed")

    def __init__(self, recording: bool) -> None:
        super().__init__(_itself)
        self.recording = recording
        self.missed: dict[Any, None] = {}
        """The boxes that were read and were no inputs."""
        self._level: Any = None

    def __enter__(self) -> Trace:
        self._level = jax_core.get_opaque_trace_state()
        return super().__enter__()

    def read_outside(self, box: Any) -> Any:
        """The value of a Parameter that is no input."""
        self.missed[box] = None
        return super().read_outside(box)

    def read_buffer(self, buffer: Any) -> Any:
        """The value of a Buffer: the last one written, or the input."""
        if buffer not in self._written and buffer in self._values:
            return self._values[buffer]
        if buffer not in self._written:
            self.missed[buffer] = None
        return super().read_buffer(buffer)

    def write_buffer(self, buffer: Any, value: Any) -> None:
        """Keep a value, which must not belong to a trace inside this one."""
        if jax_core.get_opaque_trace_state() != self._level:
            raise DifferentiationError(
                f"a Buffer of shape {buffer.shape} was written inside jax.jit, scan, cond, "
                f"vmap or checkpoint, where its value cannot leave; return the value, and "
                f"write it outside"
            )
        super().write_buffer(buffer, value)


def _itself(value: Any) -> Any:
    return value
