"""PyTorch as a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd.graph import increment_version

from optshare.extend import BaseBackend, Namespace, Overlay, Pullback, current_overlay
from optshare_torch import functions

HOST_DTYPES = (torch.float16, torch.float32, torch.float64)
"""What NumPy computes with; bfloat16 takes the functions of PyTorch."""


class TorchBackend(BaseBackend):
    """Forwards to PyTorch's autograd."""

    name = "torch"
    ops: Namespace = functions.ops

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback.

        Inside a differentiation that tracks an argument, value and cotangents
        are tracked too.
        """
        nested = any(each.requires_grad for each in arrays)
        with torch.enable_grad():
            leaves = [each.view_as(each) if nested else _leaf(each) for each in arrays]
            output = fn(*leaves)
        if not (isinstance(output, torch.Tensor) and output.requires_grad):
            return output, lambda g: [None] * len(arrays)

        def pullback(g: Any) -> Sequence[Any]:
            tracked = [leaf for leaf in leaves if leaf.requires_grad]
            pulled = iter(_pulled(output, tracked, g, nested))
            return [next(pulled) if leaf.requires_grad else None for leaf in leaves]

        return output if nested else output.detach(), pullback

    def detacher(self) -> Callable[[Any], Any]:
        """Strips the record of a tensor; nothing, inside another differentiation."""
        return functions.Functions.stop_gradient if current_overlay() is None else _itself

    def record(self) -> Overlay:
        """A context in which Parameters are tracked, and `loss.backward()` fills their `.grad`."""
        return Recording()

    def host_view(self, array: Any) -> np.ndarray[Any, Any] | None:
        """The memory of a plain CPU tensor as an array of NumPy's."""
        fits = (
            array.layout == torch.strided
            and array.device.type == "cpu"
            and array.dtype in HOST_DTYPES
        )
        return array.detach().numpy() if fits else None

    def written(self, array: Any) -> None:
        """Bump the version, so that PyTorch's own checks see that the tensor was written."""
        increment_version(array)


class Recording(Overlay):
    """An overlay in which Parameters read as leaves that hand their gradient back."""

    __slots__ = ("_leaves",)

    def __init__(self) -> None:
        super().__init__(functions.Functions.stop_gradient)
        self.exclusive = False  # PyTorch counts the versions of what it saved
        self._leaves: dict[Any, tuple[int, Any]] = {}

    def read(self, box: Any) -> Any:
        """The leaf of a Parameter, one for each version of it."""
        if box.frozen or box.transient:
            return self.read_outside(box)
        version, leaf = self._leaves.get(box, (None, None))
        if version != box.version:
            leaf = _leaf(self.read_outside(box))
            _on_gradient(leaf, _hand_back_to(box))
            self._leaves[box] = box.version, leaf
        return leaf


def _hand_back_to(box: Any) -> Callable[[torch.Tensor], None]:
    def hand_back(leaf: torch.Tensor) -> None:
        assert leaf.grad is not None
        box.grad = leaf.grad if box.grad is None else box.grad + leaf.grad
        leaf.grad = None

    return hand_back


def _on_gradient(leaf: Any, hook: Callable[[torch.Tensor], None]) -> None:
    leaf.register_post_accumulate_grad_hook(hook)


def _leaf(array: torch.Tensor) -> torch.Tensor:
    return array.detach().requires_grad_()


def _pulled(output: Any, leaves: Any, g: Any, nested: bool) -> Sequence[Any]:
    pull: Any = torch.autograd.grad  # half annotated
    return pull(output, leaves, g, allow_unused=True, retain_graph=nested, create_graph=nested)


def _itself(array: Any) -> Any:
    return array


backend = TorchBackend()
