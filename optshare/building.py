"""Building: giving Parameters their first value while a function runs, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from optshare.overlay import Suspended
from optshare.parameter import Box


class Building(Suspended):
    """A `with` in which layers take the sizes of their input; nothing else stays.

    The values are kept when it ends without an exception. What is written into
    Buffers is dropped.
    """

    __slots__ = ("_first",)

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[Any, Any] = {}

    def build(self, box: Any, shape: tuple[int, ...]) -> None:
        """Draw the first value of a box, to be kept at the end."""
        if box not in self._first:
            self._first[box] = box.stored.drawn(shape)

    def accept(self, box: Any, array: Any) -> None:
        """Keep a first value until the end."""
        self._first[box] = array

    def read(self, box: Any) -> Any:
        """The first value if it was drawn here, else the stored array."""
        return self._first[box] if box in self._first else box.outside()

    def read_buffer(self, buffer: Any) -> Any:
        """The first value if it was drawn here, else the last one written."""
        return self._first[buffer] if buffer in self._first else super().read_buffer(buffer)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.collected()
        first, self._first = self._first, {}
        if kind is None:
            for box, array in first.items():
                super().accept(box, array)
        super().__exit__(kind, error, traceback)


def built(keys: Iterable[Box], function: Callable[..., Any], *args: Any) -> list[Any]:
    """The keys that have a value, after a function has run once if some had none.

    >>> from optshare import Chain, Dense, params
    >>> import numpy as np
    >>> model = Chain(Dense(3), Dense(2))
    >>> [p.shape for p in built(params(model), model, np.ones((5, 4)))]
    [(4, 3), (3,), (3, 2), (2,)]
    """
    listed = list(keys)
    if all(key.built for key in listed):
        return listed
    with Building():
        function(*args)
    return [key for key in listed if key.built]
