"""Flax's modules: each `nnx.Param` as a key, and every Variable as an input of a trace.

A module reads its Variables itself, so for the length of a trace these hold the
inputs; afterwards they hold what they held before.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from optshare.extend import (
    Boxes,
    Buffer,
    CapabilityError,
    NativeParameter,
    OptshareError,
    ParameterError,
    is_array,
    is_floating,
    leaves,
)

CONTENTS = ("_raw_value", "_trace_state")
"""What changes of a Variable in a trace, by the names in its pickled state."""

_lock = threading.RLock()
_installed: set[int] = set()
"""The ids of the Variables that hold inputs now."""


class _Held:
    """What the boxes of a Variable share: they read it, and write it."""

    __slots__ = ()
    native: Any

    @property
    def stored(self) -> Any:
        """The array of the Variable."""
        return self.native.get_value()

    @stored.setter
    def stored(self, array: Any) -> None:
        self.native.set_value(array)


class VariableParameter(_Held, NativeParameter):
    """The box of one `nnx.Param`, which knows the modules where it was found."""

    __slots__ = ("modules",)

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
        self.modules: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.native, self.modules, self.frozen)


class VariableBuffer(_Held, Buffer):
    """The box of another Variable: a batch statistic, a random key, a count."""

    __slots__ = ("native",)

    def __init__(self, variable: Any) -> None:
        self.native = variable
        self.version = 0


_boxes = Boxes(VariableParameter)


def _restored(variable: Any, modules: list[Any], frozen: bool) -> VariableParameter:
    if not isinstance(variable, _nnx().Variable):
        raise ParameterError(
            "copy.deepcopy makes plain arrays of Flax's Variables; use nnx.clone(model), a new "
            "optimizer, and load_state_dict(opt.state_dict())"
        )
    box = _boxes.of(variable)
    box.modules, box.frozen = modules, frozen
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
        if all(module is not model for module in box.modules):
            box.modules.append(model)
    return pairs


def buffers_of(module: Any) -> list[tuple[str, Any]]:
    """The other Variables of a module, by path; streams of random numbers are left out."""
    nnx = _nnx()
    return [
        (_joined(path), VariableBuffer(each))
        for path, each in _variables(module)
        if not isinstance(each, nnx.Param | nnx.RngState) and is_array(each.get_value())
    ]


def is_loaded() -> bool:
    """Whether there can be any module of Flax: the user has imported it."""
    return _nnx() is not None


def is_module(thing: Any) -> bool:
    """Whether something is a module or a Variable of Flax."""
    nnx = _nnx()
    return nnx is not None and isinstance(thing, nnx.Pytree | nnx.Variable)


def modules_in(things: Iterable[Any]) -> list[Any]:
    """The modules of some boxes, and those that other things are or hold."""
    found: dict[int, Any] = {}
    for thing in things:
        held = [each for key in _parameters_in(thing) for each in key.modules]
        found.update((id(each), each) for each in held)
        if isinstance(thing, _nnx().Pytree):
            found[id(thing)] = thing
    return list(found.values())


def _parameters_in(thing: Any) -> list[VariableParameter]:
    try:
        found = [thing] if isinstance(thing, VariableParameter) else [k for _, k in leaves(thing)]
    except OptshareError:  # of another framework's model, which is none of ours here
        return []
    return [each for each in found if isinstance(each, VariableParameter)]


def companions(keys: Sequence[Any], modules: Sequence[Any]) -> list[Any]:
    """Boxes of the Variables in some modules that are not among the keys."""
    known = {id(key.native) for key in keys if isinstance(key, VariableParameter)}
    others = {id(each): each for each in _all(modules) if id(each) not in known}
    return [VariableBuffer(each) for each in others.values() if is_array(each.get_value())]


def structure(keys: Sequence[Any], modules: Sequence[Any]) -> Any:
    """What a trace of some modules depends on: their mode, and which Variables they hold.

    Raises:
        ParameterError: a key is not in its module any more.
    """
    if not modules:
        return None
    variables = {id(each) for each in _all(modules)}
    for key in keys:
        if isinstance(key, VariableParameter) and key.modules and id(key.native) not in variables:
            raise ParameterError(
                f"an nnx.Param of shape {key.shape} that the optimizer holds was replaced in its "
                f"module; write into it, module.kernel[...] = array, or call opt.remove and opt.add"
            )
    return _nnx().graphdef(tuple(modules)), tuple(sorted(variables))


@contextmanager
def installed(
    boxes: Sequence[Any], values: Sequence[Any]
) -> Generator[Callable[[], dict[Any, Any]]]:
    """Let the Variables of some boxes hold these values; gives a function of what changed."""
    held = [(box, each) for box, each in zip(boxes, values, strict=True) if isinstance(box, _Held)]
    if not held:
        yield dict
        return

    def changed() -> dict[Any, Any]:
        now = [(box, array, box.native.get_value()) for box, array in held]
        return {box: new for box, old, new in now if isinstance(box, Buffer) and new is not old}

    with _lock, _contents(held):
        yield changed


@contextmanager
def _contents(held: Sequence[tuple[Any, Any]]) -> Generator[None]:
    if any(id(box.native) in _installed for box, _ in held):
        raise CapabilityError(
            "a differentiation of a Flax module inside another one; use jax.grad or nnx.grad inside"
        )
    kept = [(box.native, box.native.__getstate__()) for box, _ in held]
    try:
        for box, array in held:
            _installed.add(id(box.native))
            fresh = _nnx().Variable(array).__getstate__()  # of the trace that is going on
            new = {name: fresh[name] for name in CONTENTS}
            box.native.__setstate__({**box.native.__getstate__(), **new})
        yield
    finally:
        for variable, state in kept:
            _installed.discard(id(variable))
            variable.__setstate__(state)


def _variables(graph: Any) -> list[tuple[Any, Any]]:
    nnx = _nnx()
    return [each for each in nnx.iter_graph(graph) if isinstance(each[1], nnx.Variable)]


def _all(modules: Sequence[Any]) -> list[Any]:
    return [variable for _, variable in _variables(tuple(modules))] if modules else []


def _joined(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def _nnx() -> Any:
    """Flax, if the user has imported it: without it there are no modules of it."""
    return sys.modules.get("flax.nnx")
