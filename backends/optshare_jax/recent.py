"""A memory of the last things, by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

KEPT = 128
"""How many things a memory keeps: functions or programs of one optimizer."""


class Recent(OrderedDict[Hashable, Any]):
    """Forgets what was not recalled for longest; threads may share it."""

    def recalled(self, key: Hashable) -> Any:
        """What was remembered, or `None`."""
        found = self.get(key)
        if found is not None:
            with suppress(KeyError):  # another thread may have let it go
                self.move_to_end(key)
        return found

    def remember(self, key: Hashable, thing: Any) -> None:
        """Keep a thing, which is not `None`."""
        self[key] = thing
        if len(self) > KEPT:
            self.popitem(last=False)
