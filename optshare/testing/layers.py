"""Level 5: every layer, on this backend's arrays, beside the numbers that PyTorch has for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.layers import Dropout
from optshare.namespace.fallbacks import host_bernoulli
from optshare.optimizer import Optimizer
from optshare.parameter import Buffer, Parameter, is_floating
from optshare.rules import SGD
from optshare.testing.check import check, require_close, require_equal
from optshare.testing.layer_cases import CASES
from optshare.testing.layer_cases.case import Case, held
from optshare.testing.layer_cases.torch_numbers import part
from optshare.testing.subject import Subject

MASKS = "Masks come from (seed, call), equal on every engine; there are none in prediction."
LAYERS = "A new backend gets every layer from its ops, with PyTorch's numbers and gradients."


def _layer(subject: Subject, case: Case) -> None:
    if case.training is not None and not subject.capabilities.jit:
        _called(subject, case)
    _differentiated(subject, case)


for _case in CASES.values():
    _after = "gradient.empty" if _case.is_empty else ""
    check(f"layer.{_case.name}", 5, LAYERS, cases={"": (_case,)}, after=_after)(_layer)


def _called(subject: Subject, case: Case) -> None:
    """A plain call has PyTorch's outputs, and leaves its running statistics."""
    layer = case.layer(subject.name, subject.device)
    with case.mode(layer):
        found = case.outputs(layer, *map(subject.array, case.arrays()))
    _require(subject, case, "output", {f"{place}": y for place, y in enumerate(found)})
    _require(subject, case, "statistic", _values(layer))


def _differentiated(subject: Subject, case: Case) -> None:
    """So has a differentiation, and PyTorch's gradients of the sum of weighed outputs."""
    layer, wanted = case.layer(subject.name, subject.device), part(case.name, "output")
    inputs = [subject.array(each) for each in case.arrays()]
    shapes = [wanted[f"{place}"].shape for place in range(len(wanted))]
    outputs = [Buffer(subject.array(np.zeros(shape))) for shape in shapes]
    weights = [subject.array(case.numbers(f"output/{k}", each)) for k, each in enumerate(shapes)]
    drawn = {place: Parameter(inputs[place]) for place in case.drawn}
    keys = {f"input/{place}": key for place, key in drawn.items()} | held(layer, Parameter)

    def loss(inputs: list[Any], weights: list[Any]) -> Any:
        given = [drawn[k].value if k in drawn else x for k, x in enumerate(inputs)]
        found, total = case.outputs(layer, *given), 0.0
        for buffer, y, weight in zip(outputs, found, weights, strict=True):
            buffer.value = y
            total = total + subject.ops.sum(y * weight)
        return total

    with case.mode(layer):
        _, found = _gradient(subject)(loss, [*keys.values()], inputs, weights)
    _require(subject, case, "output", {f"{k}": each.value for k, each in enumerate(outputs)})
    _require(subject, case, "gradient", dict(zip(keys, found, strict=True)))
    _require(subject, case, "statistic", _values(layer))


def _gradient(subject: Subject) -> Any:
    """The backend's `gradient`: compiled, if it can, for else it may compile each operation."""
    backend: Any = subject.backend
    return backend.compiled() if subject.capabilities.jit else backend.gradient


def _values(layer: Any) -> dict[str, Any]:
    """The running statistics of a layer, by path; no counts."""
    return {path: each.value for path, each in held(layer, Buffer).items() if is_floating(each)}


def _require(subject: Subject, case: Case, kind: str, found: dict[str, Any]) -> None:
    """Raise unless numbers are PyTorch's, to 1e-12 of the largest of their kind.

    For a gradient may be zero but for rounding, as that of a key's bias in attention is.
    """
    wanted = part(case.name, kind)
    require_equal(sorted(found), sorted(wanted), f"what has a {kind}")
    largest = max((np.max(np.abs(each), initial=0.0) for each in wanted.values()), default=1.0)
    for name, each in found.items():
        require_close(subject.host(each), wanted[name], f"{kind} {name}", scale=float(largest))


@check("layer.dropout", 5, MASKS)
def _dropout(subject: Subject) -> None:
    layer, key = Dropout(0.5, seed=7), subject.parameter(np.ones(6))
    require_close(subject.host(layer(key.value)), np.ones(6), "it acted in prediction")
    opt = Optimizer([key], SGD(lr=0.0))
    row = subject.array(np.arange(6.0))

    def loss(row: Any) -> Any:
        return subject.ops.sum(layer(key.value) * row)

    for call in range(2):
        mask = host_bernoulli((7, call), 0.5, (6,)) / 0.5
        found = float(opt.step(loss, row))
        require_close(found, (mask * np.arange(6.0)).sum(), f"the mask of call {call}")
