"""One differentiation by autograd's tracer; where no path leads to, there is no gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from optshare.extend import DifferentiationError, Pullback
from optshare_autograd.levels import levels
from optshare_autograd.library import anp, core, is_box, np, tracer
from optshare_autograd.nodes import Differentiation, Node


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Pullback]:
    """The value of `fn(*arrays)` and its pullback, which may be called any number of times."""
    inputs = [each if is_box(each) else np.asarray(each) for each in arrays]
    level, here = levels.next(), Differentiation()
    roots = [Node.root(each, here) for each in inputs]
    leaves = [tracer.new_box(x, level, root) for x, root in zip(inputs, roots, strict=True)]
    try:
        output = fn(*leaves)
    finally:
        here.closed = True
    _require_one(output)
    if not is_box(output) or output._trace != level:
        return output, lambda g: [None] * len(arrays)
    value, end = output._value, output._node

    def pullback(g: Any) -> Sequence[Any]:
        seed = _seed(g, value)
        found = _pulled(end, seed)
        return _own([found.get(root) for root in roots], inputs, seed)

    return _settled(value, inputs), pullback


def _pulled(end: Any, seed: Any) -> dict[Any, Any]:
    """The cotangents of the roots that the end was computed from."""
    waiting: dict[Any, Any] = {end: (seed, False)}
    found: dict[Any, Any] = {}
    for node in core.toposort(end):
        g = node.fitted(waiting.pop(node)[0])
        if not node.parents:
            found[node] = g
        for parent, each in zip(node.parents, node.vjp(g), strict=True):
            waiting[parent] = core.add_outgrads(waiting.get(parent), each)
    return found


def _turned(g: Any) -> Any:
    """A cotangent from autograd's convention in optshare's, or back: its conjugate."""
    return anp.conj(g) if anp.iscomplexobj(g) else g


def _require_one(output: Any) -> None:
    if isinstance(output, list | tuple | dict):
        raise DifferentiationError(
            f"the function returned a {type(cast(Any, output)).__name__}; "
            f"a differentiated function returns one array"
        )


def _seed(seed: Any, value: Any) -> Any:
    """A seed as autograd has it, in the dtype of the value; raises unless the shapes are equal."""
    if anp.iscomplexobj(seed) and not anp.iscomplexobj(value):
        raise DifferentiationError(
            f"the seed is complex, the value {value.dtype}; pass the seed's real part"
        )
    array = seed if is_box(seed) else np.asarray(seed, value.dtype)
    if array.shape != value.shape:
        raise DifferentiationError(
            f"the seed has shape {array.shape}, the value {value.shape}; they must be equal"
        )
    return _turned(array)


def _settled(value: Any, inputs: Sequence[Any]) -> Any:
    """A value that keeps its numbers when an input is written: a copy, if it shares memory."""
    if not isinstance(value, np.ndarray):
        return value
    shares = value.base is not None or any(value is each for each in inputs)
    return value.copy() if shares else value


def _own(gradients: Sequence[Any], inputs: Sequence[Any], seed: Any) -> list[Any]:
    """Gradients of which none shares memory with anything else."""
    seen = {id(seed), *map(id, inputs)}
    owned: list[Any] = []
    for each in gradients:
        gradient = each if each is None else _turned(each)
        if gradient is not None and not is_box(gradient):
            gradient = _owned(np.asarray(gradient), seen)
        seen.add(id(gradient))
        owned.append(gradient)
    return owned


def _owned(gradient: Any, seen: set[int]) -> Any:
    shares = id(gradient) in seen or gradient.base is not None
    return gradient.copy() if shares or not gradient.flags.writeable else gradient
