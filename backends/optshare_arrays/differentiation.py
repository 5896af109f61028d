"""What both engines do alike: call a function on leaves, and pull its value back to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from optshare.extend import DifferentiationError, Pullback, current_overlay
from optshare_arrays.broadcasting import fitted
from optshare_arrays.devices import converted, is_on_device
from optshare_arrays.graph import Scope, next_level
from optshare_arrays.nodes import PLAN
from optshare_arrays.parts import is_complex, turned
from optshare_arrays.primitives import Traceable, plain
from optshare_arrays.untyped import np

_STRUCTURES = list, tuple, dict
_OF_NUMPY = np.ndarray, np.generic


def vjp(scope: Scope, fn: Callable[..., Any], *arrays: Any, free: bool) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which can be called once if it frees.

    A cotangent of a complex array is dL/da + i dL/db, for a real L and an array a + ib.
    """
    leaves = [scope.leaf(array) for array in arrays]
    places = [leaf.node[PLAN] for leaf in leaves]
    try:
        output = fn(*leaves)
    finally:
        scope.closed = True
    if isinstance(output, _STRUCTURES):
        raise DifferentiationError(
            f"the function returned a {type(cast(Any, output)).__name__}; "
            f"a differentiated function returns one array"
        )
    if not scope.owns(output):
        return settled(output, arrays), lambda g: [None] * len(arrays)

    def pullback(g: Any) -> Sequence[Any]:
        seed = checked_seed(g, output.value)
        found = scope.pull(output, seed, free=free)
        return own(map(found.get, places), arrays, seed)

    return settled(output.value, arrays), pullback


def settled(value: Any, inputs: Sequence[Any]) -> Any:
    """A value that keeps its numbers when an input is written: a copy, if it shares memory."""
    if isinstance(value, np.generic):
        return value
    shares = getattr(value, "base", None) is not None or any(value is each for each in inputs)
    return value.copy() if shares else value


def detacher() -> Callable[[Any], Any]:
    """A function that strips what is tracked from now on; everything, where nothing is yet."""
    if current_overlay() is None:
        return plain
    level = next_level()

    def detach(value: Any) -> Any:
        while isinstance(value, Traceable) and value.scope.level > level:
            value = value.value
        return value

    return detach


def checked_seed(seed: Any, value: Any) -> Any:
    """A seed as VJPs have it, in the dtype of the value; raises unless the shapes are equal."""
    if type(seed) is int and isinstance(value, _OF_NUMPY) and not value.shape:
        return np.asarray(seed, value.dtype)
    if is_complex(seed) and not is_complex(value):
        raise DifferentiationError(
            f"the seed is complex, the value {value.dtype}; pass the seed's real part"
        )
    array: Any = seed if isinstance(seed, Traceable) else _seed(seed, value)
    if array.shape != value.shape:
        raise DifferentiationError(
            f"the seed has shape {array.shape}, the value {value.shape}; they must be equal"
        )
    return turned(fitted(array, value.shape, value.dtype))


def _seed(seed: Any, value: Any) -> Any:
    array = plain(value)
    if is_on_device(array):
        return converted(seed, array.dtype, array.device)
    return np.asarray(seed, array.dtype)


def own(gradients: Iterable[Any], inputs: Sequence[Any], seed: Any) -> list[Any]:
    """Gradients as users have them, none of which shares memory with anything else.

    Args:
        gradients: one for each input as VJPs gave it, or `None`.
        inputs: the arrays they belong to.
        seed: the cotangent that the backward pass began with.
    """
    seen = {id(seed), *map(id, inputs)}
    owned: list[Any] = []
    for gradient, array in zip(gradients, inputs, strict=True):
        if gradient is not None:
            tracked = isinstance(gradient, Traceable)
            if not (tracked or (gradient.dtype is array.dtype and gradient.shape == array.shape)):
                gradient = fitted(gradient, array.shape, array.dtype)
            if gradient.dtype.kind == "c":
                gradient = turned(gradient)
            if not tracked:
                if isinstance(gradient, np.generic):
                    gradient = np.asarray(gradient)
                elif id(gradient) in seen or _is_shared(gradient):
                    gradient = gradient.copy()
                seen.add(id(gradient))
        owned.append(gradient)
    return owned


def _is_shared(gradient: Any) -> bool:
    """Whether an array is a view, or was locked; CuPy's flags do not tell the latter."""
    return gradient.base is not None or not getattr(gradient.flags, "writeable", True)
