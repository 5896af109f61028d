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


SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_debug_nans",
)


def settings() -> tuple[Any, ...]:
    """What a trace depends on of JAX's configuration."""
    return tuple(getattr(jax.config, name) for name in SETTINGS)


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


class InnerRead(BaseException):  # a user's `except Exception` must not take it for an error
    """A box was read inside an inner trace, which other differentiations must not reuse."""


class Trace(Overlay):
    """An overlay for one trace: what is read is noted, writes are outputs."""

    __slots__ = ("_level", "boxes", "is_shared", "modal")

    def __init__(self, recording: bool, *, is_shared: bool = False) -> None:
        super().__init__()
        self.is_shared = is_shared
        """Whether traces of inner functions may be those of other differentiations."""
        self.recording = recording
        self.boxes: dict[Any, None] = {}
        """The boxes that were read."""
        self.modal: dict[int, Any] = {}
        """The layers whose mode was asked for, by their ids."""
        self._level: Any = None

    def __enter__(self) -> Trace:
        self._level = jax_core.get_opaque_trace_state()
        return super().__enter__()

    def read_buffer(self, buffer: Any) -> Any:
        """The value of a Buffer: the last one written, or the input."""
        self._require_level()
        if buffer in self._written:
            return self._written[buffer]
        self._note(buffer)
        return self._values[buffer] if buffer in self._values else super().read_buffer(buffer)

    def consulted(self, modal: Any) -> None:
        """Note a layer, whose mode belongs to the trace."""
        self._require_level()
        self.modal[id(modal)] = modal
        super().consulted(modal)

    def _note(self, box: Any) -> None:
        if not box.transient:  # a slot's array is the caller's, as if the function captured it
            self.boxes[box] = None

    def read(self, box: Any) -> Any:
        """The value of a Parameter here."""
        self._require_level()
        self._note(box)
        return super().read(box)

    def _require_level(self) -> None:
        if self.is_shared and jax_core.get_opaque_trace_state() != self._level:
            raise InnerRead

    def write_buffer(self, buffer: Any, value: Any) -> None:
        """Keep a value, which must not belong to a trace inside this one."""
        if jax_core.get_opaque_trace_state() != self._level:
            raise DifferentiationError(
                f"a Buffer of shape {buffer.shape} was written inside jax.jit, scan, cond, "
                f"vmap or checkpoint, where its value cannot leave; return the value, and "
                f"write it outside"
            )
        super().write_buffer(buffer, value)
