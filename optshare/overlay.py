"""What Parameters and Buffers read as while an engine differentiates.

Nothing shared is mutated: the overlay hangs on a `ContextVar`, so threads do
not see each other's differentiations and an exception leaves nothing behind.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, TypeVar

from optshare.errors import DifferentiationError

P = ParamSpec("P")
R = TypeVar("R")


class Box(Protocol):
    """What an overlay covers: an object with an identity that stores an array."""

    stored: Any

    def accept(self, array: Any) -> None:
        """Keep a first value."""
        ...

    def outside(self) -> Any:
        """What it reads as where nothing is being differentiated."""
        ...

    def fitting(self, array: Any) -> Any:
        """An array that fits it."""
        ...

    def fitted(self, array: Any) -> Any:
        """A copy of an array that fits it."""
        ...


_current: contextvars.ContextVar[Overlay | None] = contextvars.ContextVar("overlay", default=None)
current = _current.get


def _itself(value: Any) -> Any:
    return value


class Overlay:
    """Values that stand in for those stored in Parameters and Buffers, inside a `with`.

    `bind` sets what Parameters read as; an unbound one reads as it did outside.
    Buffers written inside are written back at the end, through `detach`, which
    must strip what this differentiation tracks, by default nothing; an exception
    discards them.
    """

    __slots__ = (
        "_parent",
        "_token",
        "_values",
        "_written",
        "detach",
        "exclusive",
        "recording",
        "was_read",
    )

    suspended = False
    """Whether nothing is recorded here, whatever tracks its values."""

    def __init__(self, detach: Callable[[Any], Any] = _itself) -> None:
        self.recording = True
        """Whether dropout and batch statistics act."""
        self.detach = detach
        """Strips from a value what this differentiation tracks."""
        self._values: dict[Box, Any] = {}
        self._written: dict[Box, Any] = {}
        self._parent: Overlay | None = None
        self._token: contextvars.Token[Overlay | None] | None = None
        self.was_read = False
        self.exclusive = True
        """Whether Parameters may not be written inside."""

    @property
    def around(self) -> Overlay | None:
        """The overlay outside the `with`."""
        return self._parent

    def bind(self, boxes: Iterable[Box], values: Iterable[Any]) -> None:
        """Let each box read as the value beside it."""
        self._values = dict(zip(boxes, values, strict=True))

    def read(self, box: Box) -> Any:
        """The value of a Parameter here."""
        if box in self._values:
            self.was_read = True
            return self._values[box]
        return self.read_outside(box)

    def build(self, box: Box, shape: tuple[int, ...]) -> None:
        """Draw the first value of a box that reads as nothing else here."""
        if box not in self._values:
            self.accept(box, box.stored.drawn(shape))

    def accept(self, box: Box, array: Any) -> None:
        """Give a box its first value, where that is kept: outside."""
        if self._parent is None:
            box.accept(array)
        else:
            self._parent.accept(box, array)

    def read_outside(self, box: Box) -> Any:
        """The value of a Parameter as it was outside the `with`."""
        return box.stored if self._parent is None else self._parent.read(box)

    def read_buffer(self, buffer: Box) -> Any:
        """The value of a Buffer here: the last one written."""
        if buffer in self._written:
            return self._written[buffer]
        return buffer.stored if self._parent is None else self._parent.read_buffer(buffer)

    def write_buffer(self, buffer: Box, value: Any) -> None:
        """Give a Buffer a value that fits, to be written back at the end."""
        self._written[buffer] = self.fitting(buffer, value)

    def fitting(self, buffer: Box, value: Any) -> Any:
        """A value that fits a Buffer, as it reads outside."""
        return (
            buffer.fitting(value) if self._parent is None else self._parent.fitting(buffer, value)
        )

    def consulted(self, modal: Any) -> None:
        """Take note that what is computed here depends on the mode of a layer."""
        if self._parent is not None:
            self._parent.consulted(modal)

    def collected(self) -> dict[Box, Any]:
        """What was written into Buffers, which then is not written back at the end."""
        written, self._written = self._written, {}
        return written

    def __enter__(self) -> Self:
        if self._token is not None:
            raise DifferentiationError("this context is entered already; call for a new one")
        self._parent = _current.get()
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._token is not None
        _current.reset(self._token)
        written = self.collected()
        self._values = {}
        if kind is None:
            for buffer, value in written.items():
                self.write_back(buffer, self.detach(value))
        self._parent = self._token = None

    def write_back(self, buffer: Box, value: Any) -> None:
        """Hand a Buffer's last value to what is outside the `with`."""
        if self._parent is None:
            buffer.stored = buffer.fitted(value)
        else:
            self._parent.write_buffer(buffer, value)


class Inner(Overlay):
    """Changes what some boxes read as; whether anything is recorded is as it is outside."""

    __slots__ = ()

    def __enter__(self) -> Self:
        entered = super().__enter__()
        self.recording = self._parent is not None and self._parent.recording
        return entered

    @property
    def suspended(self) -> bool:
        """Whether nothing is recorded outside, whatever tracks its values."""
        return self._parent is not None and self._parent.suspended

    def read_outside(self, box: Box) -> Any:
        """The value of a Parameter as it was outside the `with`."""
        return box.outside() if self._parent is None else self._parent.read(box)


class Suspended(Overlay):
    """Inside its `with` Parameters read as stored: nothing is differentiated or recorded."""

    __slots__ = ()
    suspended = True

    def __init__(self, detach: Callable[[Any], Any] = _itself) -> None:
        super().__init__(detach)
        self.recording = False
        self.exclusive = False

    def read(self, box: Box) -> Any:
        """The stored array."""
        return box.stored


def aside() -> Suspended:
    """A `with` outside of whatever is being recorded here; it keeps Buffers until it ends."""
    return Suspended()


def recording() -> bool:
    """Whether an engine is recording here: dropout and batch statistics act only then.

    >>> recording()
    False
    """
    overlay = _current.get()
    return overlay is not None and overlay.recording


def writable() -> bool:
    """Whether Parameters may be written here: no differentiation that uses them is going on.

    >>> writable()
    True
    """
    overlay = _current.get()
    while overlay is not None:
        if overlay.exclusive:
            return False
        overlay = overlay.around
    return True


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """Bind a function to the differentiation going on here, for threads started inside a loss.

    A new thread starts in an empty context, where Parameters are plain arrays.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool:
    ...     pool.submit(propagate(recording)).result()
    False
    """
    context = contextvars.copy_context()

    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return bound
