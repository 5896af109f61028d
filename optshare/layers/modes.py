"""Modes: whether dropout and batch statistics act, decided by the caller."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from optshare import overlay
from optshare.errors import EmptyModelError
from optshare.foreign import is_native
from optshare.tree import parts


class Modal:
    """What layers with a mode have; a layer of yours that inherits it is set with the others."""

    training: bool | None = None
    """Whether the layer behaves as in training; `None` where recording decides."""

    @property
    def acts(self) -> bool:
        """Whether the layer behaves as in training now."""
        here = overlay.current()
        if here is not None:
            here.consulted(self)
        if self.training is not None:
            return self.training
        return here is not None and here.recording


class Modes:
    """What `testmode` and its kin return: in force until changed, or until a `with` ends."""

    def __init__(self, part: Any, training: bool | None) -> None:
        if is_native(part):
            raise EmptyModelError(
                f"{type(part).__name__} is a model of a framework's own; set its mode by the "
                f"framework's means, such as model.eval()"
            )
        inside = [each for _, each in parts(part)]
        self._before = [(each, each.training) for each in inside if isinstance(each, Modal)]
        if not any(map(callable, inside)):
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

    Dropout is the identity, and running statistics are used and do not change. It holds until
    `trainmode` or `automode`; `with testmode(part):` confines it. The mode is the layer's: every
    thread and every model that holds the layer sees it. A framework's own modules keep theirs.

    Args:
        part: a layer, or whatever holds layers: a model, a list, a function.

    Raises:
        EmptyModelError: it holds no layers, or it is a framework's own model.

    >>> from optshare import Chain, Dropout
    >>> model = Chain(Dropout(0.5))
    >>> with testmode(model):
    ...     model[0].training
    False
    >>> print(model[0].training)
    None
    """
    return Modes(part, False)


testmode.__dict__["__test__"] = False  # its name makes pytest take it for a test


def trainmode(part: Any) -> Modes:
    """Let dropout and batch statistics of a part act, also where nothing is recorded.

    Args and errors are those of `testmode`.

    >>> import numpy as np
    >>> from optshare import Dropout
    >>> layer = Dropout(0.5, seed=0)
    >>> with trainmode(layer):
    ...     set(layer(np.ones(100)).tolist()) == {0.0, 2.0}
    True
    """
    return Modes(part, True)


def automode(part: Any) -> Modes:
    """Let recording decide again: dropout and batch statistics act while an engine records.

    Args and errors are those of `testmode`.

    >>> from optshare import Dropout
    >>> layer = Dropout(0.5)
    >>> with testmode(layer), automode(layer):
    ...     print(layer.training)
    None
    """
    return Modes(part, None)
