"""A namespace made whole: what the engine has, and fallbacks for the rest."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from optshare.errors import MissingFunctionError
from optshare.namespace import fallbacks
from optshare.namespace.protocol import NN, Function, Namespace, Random


class _Completed:
    """Looks a name up in the engine's functions, then in the fallbacks, and keeps it."""

    def __init__(self, source: Any, spare: dict[str, Function], whole: Any = None) -> None:
        self._source = source
        self._spare = spare
        self._whole = self if whole is None else whole

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._source, name, None)
        if found is None:
            if name not in self._spare:
                raise MissingFunctionError(f"this backend's ops has no function {name!r}")
            found = partial(self._spare[name], self._whole)
        setattr(self, name, found)
        return found


def complete(functions: Any, *, nn: Any = None, random: Any = None) -> Namespace:
    """Make a namespace of a module (or any object) of array functions.

    Args:
        functions: an object whose attributes are functions under the Array API
            standard's names.
        nn: an object with the neural functions that the engine has itself.
        random: likewise, for random arrays.

    Whatever is missing is composed of the rest (`optshare.namespace.fallbacks`);
    what cannot be composed raises `MissingFunctionError` when it is called for.

    >>> import numpy as np
    >>> complete(np).nn.softmax(np.zeros(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    whole = cast(Namespace, _Completed(functions, fallbacks.CORE))
    whole.nn = cast(NN, _Completed(nn, fallbacks.NEURAL, whole))
    whole.random = cast(Random, _Completed(random, fallbacks.RANDOM, whole))
    return whole
