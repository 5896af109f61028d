"""The result of a differentiation: one gradient for each parameter, by identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from optshare.errors import UnregisteredParameterError
from optshare.tree import keyed


class Gradients:
    """Gradients parallel to `params(model)`; `None` where the loss does not reach a parameter.

    `g[p]` is the gradient of a parameter, `g[part]` the `Gradients` of a part
    of the model, and `g[0]` the gradient of argument 0, in its structure, where
    `wrt` named that position. Iteration gives the arrays, `items()` the pairs.

    Raises:
        UnregisteredParameterError: a key that was not differentiated.

    >>> import optshare
    >>> w, b = optshare.Parameter([2.0, 3.0]), optshare.Parameter(1.0)
    >>> g = optshare.gradient(lambda: (w * w).sum(), wrt=[w, b])
    >>> g[w]
    array([4., 6.])
    >>> list(g)
    [array([4., 6.]), None]
    """

    __slots__ = ("_arguments", "_found", "_keys", "_values")

    def __init__(
        self,
        keys: Sequence[Any],
        values: Sequence[Any],
        arguments: dict[int, Any] | None = None,
    ) -> None:
        self._keys = list(keys)
        self._values = list(values)
        self._found: dict[int, int] | None = None
        self._arguments = arguments or {}

    @property
    def _places(self) -> dict[int, int]:
        """Where each key is in the list, by identity; made when it is first asked for."""
        if self._found is None:
            self._found = {id(key): place for place, key in enumerate(self._keys)}
        return self._found

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int):
            return self._argument(key)
        place = self._places.get(id(key))
        return self._part(key) if place is None else self._values[place]

    def _argument(self, position: int) -> Any:
        if position not in self._arguments:
            known = sorted(self._arguments) or "none"
            raise UnregisteredParameterError(
                f"argument {position} was not differentiated; positions in wrt: {known}. "
                f"For the gradient at a place use list(gradients)[{position}]"
            )
        return self._arguments[position]

    def _part(self, part: Any) -> Gradients:
        found = [key.known_as for _, key in keyed(part)]
        keys = list({id(key): key for key in found}.values())
        missing = [key for key in keys if id(key) not in self._places]
        if missing or not keys:
            raise UnregisteredParameterError(
                f"{missing[0] if missing else part!r} is not among the {len(self)} "
                f"differentiated parameters; name it in wrt="
            )
        return Gradients(keys, [self._values[self._places[id(key)]] for key in keys])

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[Any, Any]]:
        """The pairs (parameter, gradient), in the order of `params(model)`."""
        return list(zip(self._keys, self._values, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return Gradients, (self._keys, self._values, self._arguments)

    def __repr__(self) -> str:
        return f"Gradients({self._values!r})"


def added(one: Any, other: Any) -> Any:
    """The sum of two gradients, either of which may be absent."""
    if one is None or other is None:
        return other if one is None else one
    return one + other
