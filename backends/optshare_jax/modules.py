"""Flax's modules: each `nnx.Param` as a key, and every Variable as an input of a trace.

A module is read by way of its attributes, so for the length of a trace these
are exchanged for those of a copy that holds the inputs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from optshare.extend import (
    Boxes,
    Buffer,
    CapabilityError,
    NativeParameter,
    ParameterError,
    is_floating,
)
from optshare_jax.library import jax

_lock = threading.RLock()
_exchanged: set[int] = set()
"""The ids of the modules whose attributes are exchanged now."""


class _Held:
    """What the boxes of a Variable share: they read it, and write it."""

    __slots__ = ()
    native: Any
    roots: list[Any]

    @property
    def stored(self) -> Any:
        """The array of the Variable."""
        return self.native.get_value()

    @stored.setter
    def stored(self, array: Any) -> None:
        self.native.set_value(array)


class VariableParameter(_Held, NativeParameter):
    """The box of one `nnx.Param`."""

    __slots__ = ("roots",)

    def __init__(self, variable: Any) -> None:
        array = variable.get_value()
        if not is_floating(array):
            raise ParameterError(
                f"an nnx.Param holds {type(array).__name__} of "
                f"{getattr(array, 'dtype', 'no dtype')}, which cannot be trained"
            )
        super().__init__(variable)
        self.grad = None
        self.frozen = False
        self.roots: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.native, self.roots, self.frozen)


class VariableBuffer(_Held, Buffer):
    """The box of another Variable: a batch statistic, a random key, a count."""

    __slots__ = ("native",)

    def __init__(self, variable: Any) -> None:
        self.native = variable
        self.version = 0


_boxes = Boxes(VariableParameter)


def _restored(variable: Any, roots: list[Any], frozen: bool) -> VariableParameter:
    if not isinstance(variable, _nnx().Variable):
        raise ParameterError(
            "copy.deepcopy makes plain arrays of Flax's Variables; use nnx.clone(model), a new "
            "optimizer, and load_state_dict(opt.state_dict())"
        )
    box = _boxes.of(variable)
    box.roots, box.frozen = roots, frozen
    return box


def pairs_of(model: Any) -> list[tuple[str, Any]] | None:
    """The pairs (path, box) of a module, a Variable or a State; `None` of anything else."""
    nnx = _nnx()
    if nnx is None or not isinstance(model, nnx.Pytree | nnx.Variable | nnx.State):
        return None
    if isinstance(model, nnx.Variable):
        return [("", _boxes.of(model))] if isinstance(model, nnx.Param) else []
    if isinstance(model, nnx.State):
        return [(_joined(path), _boxes.of(each)) for path, each in nnx.to_flat_state(model)]
    found = [(_joined(path), each) for path, each in _variables(model)]
    pairs = [(path, _boxes.of(each)) for path, each in found if isinstance(each, nnx.Param)]
    for _, box in pairs:
        if all(root is not model for root in box.roots):
            box.roots.append(model)
    return pairs


def is_module(thing: Any) -> bool:
    """Whether something is a module or a Variable of Flax."""
    nnx = _nnx()
    return nnx is not None and isinstance(thing, nnx.Pytree | nnx.Variable)


def companions(keys: Sequence[Any]) -> list[Any]:
    """Boxes of the other Variables in the modules of some keys."""
    roots = _roots(keys)
    if not roots:
        return []
    known = {id(key.native) for key in keys if isinstance(key, VariableParameter)}
    others = {id(each): each for _, each in _variables(tuple(roots)) if id(each) not in known}
    return [VariableBuffer(each) for each in others.values()]


def structure(keys: Sequence[Any]) -> Any:
    """What does not change in the modules of some keys, such as their mode; hashable."""
    roots = _roots(keys)
    return _nnx().graphdef(tuple(roots)) if roots else None


@contextmanager
def installed(
    boxes: Sequence[Any], values: Sequence[Any]
) -> Generator[Callable[[], dict[Any, Any]]]:
    """Let the modules of some boxes read as these values; gives a function of what changed."""
    roots = _roots(boxes)
    if not roots:
        yield dict
        return
    nnx = _nnx()
    with _lock:
        definition, state = nnx.split(tuple(roots))
        renewed = jax.tree_util.tree_map(_itself, state)  # Variables of the trace that is going on
        clones = nnx.merge(definition, renewed)
        twins = [
            (one, other)
            for (_, one), (_, other) in zip(
                nnx.iter_graph(tuple(roots)), nnx.iter_graph(clones), strict=True
            )
        ]
        twin = {id(one): other for one, other in twins if isinstance(one, nnx.Variable)}
        held = [(box, array) for box, array in zip(boxes, values, strict=True) if _is_held(box)]
        for box, array in held:
            twin[id(box.native)].set_value(array)

        def changed() -> dict[Any, Any]:
            now = [(box, array, twin[id(box.native)].get_value()) for box, array in held]
            return {box: new for box, old, new in now if isinstance(box, Buffer) and new is not old}

        with _attributes([pair for pair in twins if isinstance(pair[0], nnx.Pytree)]):
            yield changed


@contextmanager
def _attributes(twins: Sequence[tuple[Any, Any]]) -> Generator[None]:
    """Exchange the attributes of modules for those of their twins."""
    if any(id(one) in _exchanged for one, _ in twins):
        raise CapabilityError(
            "a differentiation of a Flax module inside another one; use jax.grad or nnx.grad inside"
        )
    kept: list[tuple[Any, dict[str, Any]]] = [(one, {**_attributes_of(one)}) for one, _ in twins]
    try:
        for one, other in twins:
            _exchanged.add(id(one))
            _attributes_of(one).update(_attributes_of(other))
        yield
    finally:
        for one, attributes in kept:
            _exchanged.discard(id(one))
            _attributes_of(one).clear()
            _attributes_of(one).update(attributes)


def _attributes_of(module: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = module.__dict__
    return attributes


def _variables(graph: Any) -> list[tuple[Any, Any]]:
    nnx = _nnx()
    return [each for each in nnx.iter_graph(graph) if isinstance(each[1], nnx.Variable)]


def _roots(boxes: Sequence[Any]) -> list[Any]:
    roots = [root for box in boxes if isinstance(box, VariableParameter) for root in box.roots]
    return list({id(root): root for root in roots}.values())


def _is_held(box: Any) -> bool:
    return isinstance(box, _Held)


def _itself(array: Any) -> Any:
    return array


def _joined(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def _nnx() -> Any:
    """Flax, if the user has imported it: without it there are no modules of it."""
    return sys.modules.get("flax.nnx")
