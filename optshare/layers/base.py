"""Layer: the base of the bundled layers. Yours need none."""

from __future__ import annotations

from typing import Any

from optshare.errors import InPlaceError
from optshare.parameter import Parameter


class Layer:
    """A callable with parameters, which guards their identity.

    >>> import numpy as np
    >>> from optshare.layers import Dense
    >>> Dense(2, 2).weight = np.zeros((2, 2))
    Traceback (most recent call last):
    optshare.errors.InPlaceError: Dense.weight is a Parameter; assigning an array would lose \
its identity and state. Write layer.weight.value = ...
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(getattr(self, name, None), Parameter) and not isinstance(value, Parameter):
            raise InPlaceError(
                f"{type(self).__name__}.{name} is a Parameter; assigning an array would lose "
                f"its identity and state. Write layer.{name}.value = ..."
            )
        super().__setattr__(name, value)

    def __call__(self, x: Any) -> Any:
        """The output for an input."""
        raise NotImplementedError
