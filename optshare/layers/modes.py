"""Modes: whether dropout and batch statistics act, decided by the caller."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from optshare.errors import EmptyModelError
from optshare.overlay import recording
from optshare.tree import parts


class Modal:
    """What layers with a mode have: `training` is `None` where recording decides."""

    training: bool | None = None

    @property
    def acts(self) -> bool:
        """Whether the layer behaves as in training now."""
        return recording() if self.training is None else self.training


class Modes:
    """What `testmode` and its kin return: in force until changed, or until a `with` ends."""

    def __init__(self, part: Any, training: bool | None) -> None:
        self._before = [(each, each.training) for _, each in parts(part) if isinstance(each, Modal)]
        if not self._before and not callable(part):
            raise EmptyModelError(f"a {type(part).__name__} has no layers whose mode could be set")
        for layer, _ in self._before:
            layer.training = training

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for layer, training in self._before:
            layer.training = training


def testmode(part: Any) -> Modes:
    """Let every layer of a part predict, also while an engine records.

    It holds until `trainmode` or `automode`; `with testmode(part):` confines it.

    >>> from optshare import Chain, Dropout
    >>> model = Chain(Dropout(0.5))
    >>> with testmode(model):
    ...     model[0].training
    False
    >>> print(model[0].training)
    None
    """
    return Modes(part, False)


def trainmode(part: Any) -> Modes:
    """Let dropout and batch statistics of a part act, also where nothing is recorded."""
    return Modes(part, True)


def automode(part: Any) -> Modes:
    """Let recording decide again: dropout and batch statistics act while an engine records."""
    return Modes(part, None)
