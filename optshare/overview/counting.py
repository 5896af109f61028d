"""Counting the numbers in a model's Parameters, each once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optshare.overview.watching import Call
from optshare.parameter import Parameter
from optshare.sizes import Shaping
from optshare.tree import boxes, grouped, keyed, named_boxes


class Counted:
    """How many numbers each Parameter holds, given out once."""

    def __init__(self, model: Any, shaping: Shaping) -> None:
        self.all = [entry.key for entry in grouped(keyed(model))]
        self._first = {id(box): path for path, box in reversed(named_boxes(model))}
        self._shaping = shaping
        self._left = {id(key) for key in self.all}

    def size(self, key: Any) -> int:
        """The numbers in a Parameter; 0 if no call has told its shape."""
        shape: Any = self._shaping.shape(key)
        return 0 if None in shape else math.prod(shape)

    def own(self, call: Call) -> list[Any]:
        """The Parameters of a part that none of the parts called inside it has."""
        inside = {id(key) for each in call.inside for key in _parameters(each.part)}
        return [key for key in _parameters(call.part) if id(key) not in inside]

    def taken(self, keys: Sequence[Any]) -> int:
        """The numbers in keys that were not given out before."""
        new = [key for key in keys if id(key) in self._left]
        self._left -= {id(key) for key in new}
        return sum(map(self.size, new))

    def ties(self, call: Call, keys: Sequence[Any]) -> tuple[str, ...]:
        """Where keys stand first, if that is outside of a part."""
        paths = (self._first.get(id(key), "") for key in keys)
        inside = f"{call.path}." if call.path else ""
        return tuple(path for path in paths if not path.startswith(inside))


def _parameters(part: Any) -> list[Any]:
    return [box for box in boxes(part) if isinstance(box, Parameter)]
