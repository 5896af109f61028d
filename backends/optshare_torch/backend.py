"""PyTorch as a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch._C._functorch import peek_interpreter_stack
from torch.autograd.graph import increment_version

from optshare.extend import (
    Addressing,
    BaseBackend,
    CapabilityError,
    Fans,
    Namespace,
    Overlay,
    ParameterError,
    Pullback,
    Suspended,
    UnreachedParametersError,
    current_overlay,
    require_scalar,
)
from optshare_torch import device, functions, memory, orientation
from optshare_torch.native import TensorBuffer, TensorParameter, box_of

HOST_DTYPES = (torch.float16, torch.float32, torch.float64)
"""What NumPy computes with; bfloat16 takes the functions of PyTorch."""


class TorchBackend(BaseBackend):
    """Forwards to PyTorch's autograd."""

    name = "torch"
    ops: Namespace = functions.ops

    def params(self, model: Any) -> list[tuple[str, Any]]:
        """The parameters of a module by path, of a lone parameter, or of a shared model."""
        if isinstance(model, torch.nn.Parameter):
            return [("", box_of(model))]
        if isinstance(model, torch.nn.Module):
            named = _unwrapped(model).named_parameters(remove_duplicate=False)
            return [(path, box_of(tensor)) for path, tensor in named if _is_trainable(tensor)]
        return super().params(model)

    def buffers(self, model: Any) -> list[tuple[str, Any]]:
        """What a module's `state_dict` has beside its parameters."""
        if not isinstance(model, torch.nn.Module):
            return []
        held = _unwrapped(model).state_dict(keep_vars=True)
        boxes: dict[int, TensorBuffer] = {}
        others = [(path, each) for path, each in held.items() if not _is_parameter(each)]
        for path, each in others:
            if not isinstance(each, torch.Tensor):
                raise ParameterError(
                    f"{path!r} of a {type(model).__name__} is a {type(each).__name__}, no tensor; "
                    f"save such a module by torch.save(module.state_dict(), file)"
                )
        return [(path, boxes.setdefault(id(each), TensorBuffer(each))) for path, each in others]

    def fans(self, model: Any) -> dict[str, Fans]:
        """The axes of the weights of a module; matrices are (out, in)."""
        return orientation.fans_of(
            _unwrapped(model) if isinstance(model, torch.nn.Module) else model
        )

    def gradient(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The value of `fn(*args)`, and its gradient for each key, native or shared."""
        if not any(isinstance(key, TensorParameter) for key in keys):
            return super().gradient(fn, keys, *args)
        _refuse_inside_functional_transforms()
        nested = torch.is_grad_enabled() and _records(current_overlay())
        inputs = [_live(key) for key in keys]
        with Overlay(self.detacher()) as here:
            here.bind(keys, inputs)
            with torch.enable_grad():
                value = fn(*args)
            require_scalar(value)
            found = _pulled(value, inputs, None, nested) if _is_tracked(value) else ()
            if all(each is None for each in found):
                raise UnreachedParametersError(
                    f"the loss depends on none of the {len(keys)} parameters it was "
                    f"differentiated for; does it use this module, outside of no_grad?"
                )
            return _apart(here.detach(value), inputs), list(found)

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback.

        Inside a differentiation that tracks an argument, value and cotangents
        are tracked too.
        """
        _refuse_inside_functional_transforms()
        here = current_overlay()
        around = None if here is None else here.around
        nested = torch.is_grad_enabled() and (
            _records(around) or any(each.requires_grad for each in arrays)
        )
        with torch.enable_grad():
            kept = [nested and each.requires_grad for each in arrays]
            pairs = zip(arrays, kept, strict=True)
            leaves = [each.view_as(each) if keep else _leaf(each) for each, keep in pairs]
            output = fn(*leaves)
        if not _is_tracked(output):
            return output, lambda g: [None] * len(arrays)

        def pullback(g: Any) -> Sequence[Any]:
            tracked = [leaf for leaf in leaves if leaf.requires_grad]
            pulled = iter(_pulled(output, tracked, g, nested))
            return [next(pulled) if leaf.requires_grad else None for leaf in leaves]

        return output if nested else _apart(output.detach(), leaves), pullback

    def detacher(self) -> Callable[[Any], Any]:
        """Strips the record of a tensor; nothing, inside another differentiation."""
        nested = torch.is_grad_enabled() and _records(current_overlay())
        return Overlay().detach if nested else functions.Functions.stop_gradient

    def record(self) -> Overlay:
        """A context in which Parameters are tracked, and `loss.backward()` fills their `.grad`."""
        return Recording()

    def host_view(self, array: Any) -> np.ndarray[Any, Any] | None:
        """The memory of a plain CPU tensor as an array of NumPy's."""
        fits = (
            array.layout == torch.strided
            and array.device.type == "cpu"
            and array.dtype in HOST_DTYPES
            and not array.is_neg()
        )
        return array.detach().numpy() if fits else None

    def device_view(self, array: Any) -> Any:
        """The memory of a plain CUDA tensor as an array of CuPy's."""
        return device.view(array)

    def device_stream(self, array: Any) -> AbstractContextManager[Any]:
        """A `with` in which CuPy's current stream is PyTorch's."""
        return device.stream(array)

    def host_copy(self, array: Any) -> np.ndarray[Any, Any]:
        """The numbers of a tensor on any device; NumPy has no bfloat16."""
        if not isinstance(array, torch.Tensor):
            return super().host_copy(array)
        held = array.float() if array.dtype == torch.bfloat16 else array
        return super().host_copy(held.detach().cpu().resolve_conj().resolve_neg())

    def memory(self, array: Any) -> int:
        """The address of a tensor's storage."""
        strided = isinstance(array, torch.Tensor) and array.layout == torch.strided
        return array.untyped_storage().data_ptr() if strided else super().memory(array)

    def written(self, *arrays: Any) -> None:
        """Bump the versions, so that PyTorch's own checks see that the tensors were written."""
        increment_version(arrays)

    def addressing(self, arrays: Sequence[Any]) -> Addressing | None:
        """How to find the memory of plain CPU tensors."""
        return memory.addressing(arrays)


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


def _refuse_inside_functional_transforms() -> None:
    """Raise where `torch.func` transforms: it would see the results as constants."""
    transform: Any = peek_interpreter_stack()  # None outside, whatever its annotation says
    if transform is not None:
        raise CapabilityError(
            "optshare.gradient cannot be transformed by torch.func (grad, vmap, jvp); "
            "use torch.func.grad inside too"
        )


def _records(overlay: Overlay | None) -> bool:
    """Whether an overlay, or one around it, records, so that results are to be tracked."""
    while overlay is not None and not isinstance(overlay, Suspended):
        if overlay.recording:
            return True
        overlay = overlay.around
    return False


def _unwrapped(module: Any) -> torch.nn.Module:
    """The module itself, under what compiles or distributes it, so that its paths are its own."""
    while True:
        distributed = isinstance(module, torch.nn.parallel.DistributedDataParallel)
        inner: Any = module.module if distributed else getattr(module, "_orig_mod", None)
        if inner is None:
            return module
        module = inner


def _is_trainable(tensor: torch.Tensor) -> bool:
    """Not the frozen integers of a quantised layer."""
    return tensor.requires_grad or tensor.is_floating_point() or tensor.is_complex()


def _is_parameter(thing: Any) -> bool:
    return isinstance(thing, torch.nn.Parameter) and _is_trainable(thing)


def _is_tracked(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


def _live(key: Any) -> torch.Tensor:
    """What a module reads itself, or a leaf for a shared Parameter."""
    return key.stored if isinstance(key, TensorParameter) else _leaf(key.stored)


def _leaf(array: torch.Tensor) -> torch.Tensor:
    return array.detach().requires_grad_()


def _pulled(output: Any, leaves: Any, g: Any, nested: bool) -> Sequence[Any]:
    pull: Any = torch.autograd.grad  # half annotated
    options = {"allow_unused": True, "retain_graph": nested, "create_graph": nested}
    return [_resolved(each) for each in pull(output, leaves, g, **options)]


def _resolved(gradient: Any) -> Any:
    """A gradient that NumPy can read: not one that is to be conjugated later."""
    if gradient is None or not gradient.is_complex():
        return gradient
    return gradient.resolve_conj()


def _apart(value: Any, inputs: Sequence[Any]) -> Any:
    """A value that keeps its numbers when an input is written: a copy, if it shares memory."""
    if not isinstance(value, torch.Tensor):
        return value
    place = value.untyped_storage().data_ptr()
    shares = any(each.untyped_storage().data_ptr() == place for each in inputs)
    return value.clone() if shares else value


backend = TorchBackend()
