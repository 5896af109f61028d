"""The protocol: what ties an automatic-differentiation engine to optshare."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, NamedTuple, NoReturn, Protocol
from weakref import WeakValueDictionary

import numpy as np

from optshare.errors import CapabilityError, NonScalarLossError, UnreachedParametersError
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_numpy
from optshare.orientation import Fans
from optshare.overlay import Overlay, current
from optshare.parameter import is_array
from optshare.tree import keyed

Pullback = Callable[[Any], Sequence[Any]]


class Backend(Protocol):
    """Three verbs, and the functions of one engine.

    Which types of array it claims stands in its description, so that asking
    does not load it.
    """

    name: str
    ops: Namespace

    def params(self, model: Any) -> list[tuple[str, Any]]:
        """Pairs (path, key) for every path to a parameter; the key has the identity."""
        ...

    def gradient(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The plain value of `fn(*args)`, and its gradient for each key, `None` where absent."""
        ...

    def update(self, key: Any, new_value: Any) -> None:
        """Write a new value back; knows no rule."""
        ...


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend declares beyond the three verbs; the undeclared raises when asked for.

    >>> Capabilities(vjp=True, dtypes=("float64",)).declared()
    {'vjp': True, 'dtypes': ('float64',)}
    """

    vjp: bool = False
    """`vjp(fn, *arrays) -> (value, pullback)`."""
    embed: bool = False
    """A foreign function can be one differentiable node."""
    higher_order: bool = False
    """Gradients can be differentiated."""
    jit: bool = False
    """Functions can be compiled."""
    accumulates_grad: bool = False
    """`record()` and a backward pass fill `.grad`."""
    inplace: bool = False
    """Arrays may be written in place."""
    complex: bool = False
    """Complex arrays can be differentiated."""
    devices: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()

    def declared(self) -> dict[str, Any]:
        """The capabilities that are there, by name."""
        pairs = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in pairs if value}


Integers = np.ndarray[Any, np.dtype[np.int64]]


class Addressing(NamedTuple):
    """How to find the memory of many arrays of an engine."""

    full: Callable[[Sequence[Any]], Integers | None]
    """Of whatever there is: the address of each array; `None` unless every one is like its
    example, of the same dtype, shape and strides, in host memory."""
    again: Callable[[Sequence[Any]], Integers | None]
    """The address of each array, for the very objects that `full` has seen; `None` if one has
    other strides than it had."""


class Part(NamedTuple):
    """Where an array lies in a flat one."""

    first: int
    """Its first element."""
    shape: tuple[int, ...]

    def cut(self, flat: Any) -> Any:
        """It, of the flat array.

        >>> Part(1, (2, 2)).cut(np.arange(6))
        array([[1, 2],
               [3, 4]])
        """
        return flat[self.first : self.first + math.prod(self.shape)].reshape(self.shape)


class Seam:
    """How an update reaches an engine's memory; a backend may offer it."""

    def host_view(self, array: Any) -> np.ndarray[Any, Any] | None:
        """The same memory as an array of NumPy's; `None` if it cannot be seen so.

        It may be written if the backend declares `inplace`.
        """
        return array if is_numpy(array) else None

    def device_view(self, array: Any) -> Any:
        """The same memory on a CUDA device as an array of CuPy's; `None` if it cannot be seen so.

        It may be written if the backend declares `inplace`. Its numbers are there for what
        CuPy does in `device_stream`.
        """
        cupy = sys.modules.get("cupy")  # without which nobody has an array of its
        return array if cupy is not None and isinstance(array, cupy.ndarray) else None

    def device_stream(self, array: Any) -> AbstractContextManager[Any]:
        """A `with` in which CuPy works on an array's device, in order with the engine.

        What CuPy is given to do there begins after what the engine was given to do before it;
        what the engine is given to do afterwards, or gives back of its memory, comes after
        what CuPy does. Views are made and adopted inside. Here CuPy is the engine: its current
        stream stays.
        """
        return array.device

    def adopt(self, view: Any) -> Any:
        """The engine's array over memory that nobody will write again.

        Asked of a backend that does not declare `inplace`; the memory is NumPy's, and begins at
        a multiple of 64 bytes, or CuPy's where `device_view` gave an array.
        """
        return view

    def any_deleted(self, arrays: Sequence[Any]) -> bool:
        """Whether the memory of one of some arrays belongs to somebody else by now."""
        return False

    def adopt_parts(self, view: np.ndarray[Any, Any], parts: Sequence[Part]) -> list[Any]:
        """The engine's arrays of the parts of a flat array that nobody will write again.

        Each part begins at a multiple of 64 bytes. Where adopting costs much, an engine may
        adopt the whole and cut it itself.
        """
        return [self.adopt(part.cut(view)) for part in parts]

    def host_copy(self, array: Any) -> np.ndarray[Any, Any]:
        """The numbers of an array of any memory in NumPy's; bfloat16 as float32."""
        host = np.array(np.asarray(array))
        return host.astype(np.float32) if host.dtype.name == "bfloat16" else host

    def written(self, *arrays: Any) -> None:
        """Take note that the memory behind some arrays was written."""

    def addressing(self, arrays: Sequence[Any]) -> Addressing | None:
        """How to find the memory of many arrays at once; `None` if only `host_view` tells.

        The arrays are examples, of one dtype, each with a `host_view`.
        """
        return None

    def memory(self, array: Any) -> int:
        """A number that arrays have in common if they share memory."""
        while getattr(array, "base", None) is not None:
            array = array.base
        return id(array)


_HOST = Seam()


def seam_of(backend: Backend) -> Seam:
    """A backend's own seam, or the one for NumPy's arrays if it offers none.

    >>> import numpy as np
    >>> class Verbs: ...
    >>> seam_of(Verbs()).host_view(np.ones(2))
    array([1., 1.])
    """
    offered: Any = backend
    return offered if hasattr(backend, "host_view") else _HOST


class BaseBackend(Seam):
    """Derives what it can; the base of every bundled backend and, if they like, of others.

    An author of a pure engine writes `vjp` and gets `gradient` from it; an
    author of a mutable engine writes `gradient`.
    """

    name: str
    ops: Namespace

    def params(self, model: Any) -> list[tuple[str, Any]]:
        """The Parameters (and array leaves) of a model, by path."""
        return keyed(model)

    def vjp(self, fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
        """The value of `fn(*arrays)` and its pullback: output cotangent to input cotangents."""
        self.lacks("vjp")

    def gradient(
        self, fn: Callable[..., Any], keys: Sequence[Any], *args: Any
    ) -> tuple[Any, list[Any]]:
        """The plain value of `fn(*args)`, and its gradient for each key, `None` where absent."""
        around = current()
        outside = [key.stored if around is None else around.read(key) for key in keys]

        def bound(*arrays: Any) -> Any:
            here.bind(keys, arrays)
            value = fn(*args)
            require_scalar(value)
            return value

        detach = self.detacher()
        with Overlay(detach) as here:
            value, pullback = self.vjp(bound, *outside)
            if keys and not here.was_read:
                raise UnreachedParametersError(
                    f"the function read none of the {len(keys)} parameters it was "
                    f"differentiated for; does it use this model?"
                )
            gradients = pullback(self.unit(value))
            return detach(value), [each if each is None else detach(each) for each in gradients]

    def update(self, key: Any, new_value: Any) -> None:
        """Assign a new value to a Parameter."""
        key.value = new_value

    def outside(self, array: Any) -> Any:
        """What a Parameter of an array reads as where nothing is being differentiated."""
        return array

    def compiled(self) -> Callable[..., tuple[Any, list[Any]]]:
        """A `gradient` that remembers what it compiles; an optimizer keeps it for its steps."""
        self.lacks("jit")

    def buffers(self, model: Any) -> list[tuple[str, Any]]:
        """What the framework's own model holds beside its parameters and saves with them.

        Pairs (path, Buffer); a Buffer that is given a value writes it into the model.
        """
        return []

    def fans(self, model: Any) -> dict[str, Fans]:
        """Which axes of the framework's own weights are inputs and which outputs, by path.

        `optshare.extend` has `first_in(ndim)` and `first_out(ndim)`, and `NO_MATRIX` for the
        weights of what is no linear map. What is not told is left to the rule.
        """
        return {}

    def rebuilt(self, tree: Any, values: dict[str, Any], *, keep: bool = True) -> Any:
        """The framework's own immutable model with other arrays at some paths.

        What is no parameter is kept, or else becomes `None`. Raises
        `CapabilityError` in a backend that does not define it.
        """
        raise CapabilityError(
            f"backend {self.name!r} cannot make a {type(tree).__name__} with other arrays; "
            f"a backend that claims an immutable model defines rebuilt(model, values)"
        )

    def unit(self, value: Any) -> Any:
        """The cotangent that a scalar's backward pass begins with."""
        return self.ops.ones_like(value)

    def detacher(self) -> Callable[[Any], Any]:
        """A function that strips from a value what the engine tracks from now on."""
        return self.ops.stop_gradient

    def record(self) -> Overlay:
        """A context in which Parameters are tracked, for a later backward pass."""
        self.lacks("accumulates_grad")

    def lacks(self, capability: str) -> NoReturn:
        """Raise `CapabilityError` for a capability that is not there."""
        raise CapabilityError(f"backend {self.name!r} does not declare {capability!r}")


def placed(ops: Any, host: Any, like: Any) -> Any:
    """An engine's array of numbers in host memory, on the device of another one."""
    device = getattr(like, "device", None)
    return ops.asarray(host) if device is None else ops.asarray(host, device=device)


_REAL = int, float


_CONSTANTS: WeakValueDictionary[int, np.ndarray[Any, Any]] = WeakValueDictionary()


def constant(host: Any) -> np.ndarray[Any, Any]:
    """A copy of an array that nobody writes, and that equal shapes of the inputs give again.

    A compiler may keep it in a program; any other array that a function captures may be
    another one at the next call.

    >>> is_constant(constant([1.0, 2.0])), is_constant(np.ones(2))
    (True, False)
    """
    found = np.array(host)
    _CONSTANTS[id(found)] = found
    return found


def is_constant(array: Any) -> bool:
    """Whether an array is one that `constant` gave, or a view of its memory."""
    while is_numpy(getattr(array, "base", None)):
        array = array.base
    return _CONSTANTS.get(id(array)) is array


def require_scalar(value: Any) -> None:
    """Raise `NonScalarLossError` unless a value is one real number."""
    if isinstance(value, _REAL):
        return
    if getattr(value, "shape", None) == () and not _is_complex(value.dtype):
        return
    if isinstance(value, complex) or (is_array(value) and _is_complex(value.dtype)):
        raise NonScalarLossError(
            "the loss is complex; return a real number (abs(z)**2, z.real), or give a seed"
        )
    if not is_array(value):
        hint = "; did the function forget to return?" if value is None else ""
        raise NonScalarLossError(f"the loss is a {type(value).__name__}, not a number{hint}")
    shape = tuple(value.shape)
    if shape:
        raise NonScalarLossError(
            f"the loss has shape {shape}; return a scalar (.mean(), .sum()) "
            f"or give a seed of that shape"
        )


@cache
def _is_complex(dtype: Any) -> bool:
    return "complex" in str(dtype)
