"""A `torch.nn.Parameter` as a key: its identity is the framework's own object."""

from __future__ import annotations

import weakref
from typing import Any, NoReturn

import torch

from optshare.extend import Parameter, ParameterError


class NativeParameter(Parameter):
    """The box of one `torch.nn.Parameter`; the same one for as long as anybody holds it.

    `frozen` is `requires_grad`, and `grad` the tensor's own, whoever sets them.
    """

    __slots__ = ()
    transient = True

    def __init__(self, tensor: torch.nn.Parameter) -> None:
        if not tensor.is_floating_point():
            raise ParameterError(f"a parameter of {tensor.dtype} cannot be trained")
        if tensor.is_meta:
            raise ParameterError(
                f"a parameter of shape {tuple(tensor.shape)} is on the meta device and has no "
                f"numbers; call module.to_empty(device=...) and initialise it first"
            )
        self.stored = tensor
        self.version = 0

    @property
    def known_as(self) -> Any:
        """The tensor."""
        return self.stored

    @property
    def frozen(self) -> bool:
        """Whether the tensor requires no gradient."""
        return not self.stored.requires_grad

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self.stored.requires_grad_(not frozen)

    @property
    def grad(self) -> Any:
        """The tensor's gradient."""
        return self.stored.grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        self.stored.grad = gradient

    def store(self, array: Any) -> None:
        """Write a new value into the tensor."""
        with torch.no_grad():
            self.stored.copy_(self.fitting(array))

    def migrate(self, array: Any) -> NoReturn:
        """Refuse: a module moves itself."""
        raise ParameterError("a native parameter is moved by its module: module.to(...)")

    def __copy__(self) -> Any:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return box_of, (self.stored,)


_boxes: weakref.WeakValueDictionary[int, NativeParameter] = weakref.WeakValueDictionary()
"""The living boxes by the id of their tensor, which each keeps alive."""


def box_of(tensor: torch.nn.Parameter) -> NativeParameter:
    """The box of a tensor."""
    box = _boxes.get(id(tensor))
    if box is None:
        box = _boxes[id(tensor)] = NativeParameter(tensor)
    return box
