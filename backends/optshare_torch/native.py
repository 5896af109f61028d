"""A `torch.nn.Parameter` as a key: its identity is the framework's own object."""

from __future__ import annotations

from typing import Any

import torch

from optshare.extend import Boxes, Buffer, NativeParameter, ParameterError


class TensorParameter(NativeParameter):
    """The box of one `torch.nn.Parameter`; the same one for as long as anybody holds it.

    `frozen` is `requires_grad`, and `grad` the tensor's own, whoever sets them.
    """

    __slots__ = ()

    def __init__(self, tensor: torch.nn.Parameter) -> None:
        if not (tensor.is_floating_point() or tensor.is_complex()):
            raise ParameterError(f"a parameter of {tensor.dtype} cannot be trained")
        if tensor.is_meta:
            raise ParameterError(
                f"a parameter of shape {tuple(tensor.shape)} is on the meta device and has no "
                f"numbers; call module.to_empty(device=...) and initialise it first"
            )
        super().__init__(tensor)
        self.stored = tensor

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

    def __reduce__(self) -> tuple[Any, ...]:
        return box_of, (self.stored,)


class TensorBuffer(Buffer):
    """The box of a tensor that a module holds beside its parameters: a running mean, a count."""

    __slots__ = ("native",)

    def __init__(self, tensor: torch.Tensor) -> None:
        self.native = tensor
        self.recipe = None
        self.version = 0

    @property
    def stored(self) -> Any:
        """The tensor."""
        return self.native

    @stored.setter
    def stored(self, array: Any) -> None:
        with torch.no_grad():
            self.native.copy_(array)


_boxes = Boxes(TensorParameter)


def box_of(tensor: torch.nn.Parameter) -> TensorParameter:
    """The box of a tensor."""
    return _boxes.of(tensor)
