"""detach: a part of a model, called with constants in place of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.errors import EmptyModelError
from optshare.overlay import Inner
from optshare.parameter import Box, Parameter
from optshare.registry import owner
from optshare.tree import boxes


def detach(part: Callable[..., Any]) -> Detached:
    """A view of a part of a model whose parameters are constants at its calls.

    No gradient reaches them through the view, and the backward pass does not go
    there; through another call of the same part they train, also in the same
    function.

    Raises:
        EmptyModelError: the part holds no Parameter of ours.

    >>> import optshare
    >>> part = optshare.Dense(1, 1, bias=False)
    >>> part.weight.value = [[2.0]]
    >>> g = optshare.gradient(lambda x: (detach(part)(x) + part(x)).sum(), [3.0], wrt=(0, part))
    >>> g[0], g[part.weight]
    (array([4.]), array([[3.]], dtype=float32))
    """
    held = frozenset(each for each in boxes(part) if isinstance(each, Parameter))
    if not held or any(each.transient for each in held):
        raise EmptyModelError(
            f"{type(part).__name__} holds no Parameter to detach; freeze a framework's own model"
        )
    return Detached(part)


class Detached:
    """What `detach` gives."""

    def __init__(self, part: Callable[..., Any]) -> None:
        self.part = part

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the part gives, its parameters being constants."""
        with _Constants(boxes(self.part)):
            return self.part(*args, **kwargs)

    def __repr__(self) -> str:
        return f"detach({self.part!r})"


class _Constants(Inner):
    """Some boxes read as constants."""

    __slots__ = ("_held",)

    def __init__(self, held: list[Box]) -> None:
        super().__init__()
        self._held = frozenset(held)

    def read(self, box: Any) -> Any:
        """The value outside; of what is held, one that is not differentiated."""
        value = self.read_outside(box)
        return owner(value).ops.stop_gradient(value) if box in self._held else value
