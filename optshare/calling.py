"""The functional style: a model called with weights that the caller holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from optshare.errors import WeightsError, choices
from optshare.narrowing import is_dict
from optshare.overlay import Inner
from optshare.parameter import Box, Parameter, is_array
from optshare.recipes import agrees
from optshare.structure import flat
from optshare.tree import grouped, named_boxes


def functional_call(model: Any, weights: Any, *args: Any, **kwargs: Any) -> Any:
    """`model(*args)`, with other values in place of its Parameters.

    Args:
        model: a callable that holds Parameters. It is unchanged: nothing is
            stored in it, running statistics neither, and sizes that were left out
            stay so.
        weights: a dict from paths (`"layers.0.weight"`) to arrays, of some of the
            parameters and Buffers; or arrays parallel to `params(model)`, in lists
            or tuples that may be nested. A Parameter stands for its value.
        args: what the model is called with.
        kwargs: likewise, by name.

    Raises:
        WeightsError: no such path, too few or too many arrays, or an array of
            another shape than its parameter.

    >>> import numpy as np
    >>> from optshare import Chain, Dense
    >>> from optshare_functional import grad
    >>> model = Chain(Dense(2, 1, bias=False))
    >>> w = [np.array([[1.0], [2.0]])]
    >>> functional_call(model, w, np.ones((1, 2)))
    array([[3.]])
    >>> grad(lambda w, x: functional_call(model, w, x).sum())(w, np.ones((1, 2)))
    [array([[1.],
           [1.]])]
    """
    values = _values(model, weights)
    with _Given() as given:
        given.bind(values.keys(), values.values())
        return model(*args, **kwargs)


def operator(model: Any) -> Callable[..., Any]:
    """The pure function `predict(weights, *args)` of a model.

    >>> import numpy as np
    >>> from optshare import Dense
    >>> predict = operator(Dense(1, bias=False))
    >>> predict([np.array([[2.0]])], np.array([[3.0]]))
    array([[6.]])
    """

    def predict(weights: Any, *args: Any, **kwargs: Any) -> Any:
        return functional_call(model, weights, *args, **kwargs)

    return predict


class _Given(Inner):
    """Boxes read as what the caller gives; what is written into Buffers is dropped."""

    __slots__ = ()

    def read_buffer(self, buffer: Any) -> Any:
        """What was written here, else what was given, else what it is outside."""
        written = self._written.get(buffer, self._values.get(buffer))
        return super().read_buffer(buffer) if written is None else written

    def build(self, box: Any, shape: tuple[int, ...]) -> None:
        """Compare the shape that an input asks for with what was given."""
        given = self._values.get(box)
        if given is None:
            super().build(box, shape)
        elif tuple(given.shape) != shape:
            raise WeightsError(
                f"the input asks for a weight of shape {shape}, {tuple(given.shape)} was given"
            )

    def write_back(self, buffer: Any, value: Any) -> None:
        """Drop it."""


def _values(model: Any, weights: Any) -> dict[Box, Any]:
    """What each box of a model reads as."""
    pairs = _by_path(model, weights) if is_dict(weights) else _in_order(model, weights)
    found: dict[Box, Any] = {}
    for path, box, given in pairs:
        _require_ours(path, box)
        value = given.value if isinstance(given, Box) else given
        if not is_array(value):
            raise WeightsError(f"{path!r}: a weight is an array, not a {type(value).__name__}")
        _require_shape(path, box, tuple(value.shape))
        found[box] = value
    return found


def _by_path(model: Any, weights: Mapping[str, Any]) -> Iterable[tuple[str, Box, Any]]:
    boxes = dict(named_boxes(model))
    for path, given in weights.items():
        if path not in boxes:
            raise WeightsError(
                f"{type(model).__name__} has no weight {path!r}; choices: {choices(boxes, path)}"
            )
        yield path, boxes[path], given


def _in_order(model: Any, weights: Any) -> Iterable[tuple[str, Box, Any]]:
    entries = [each for each in grouped(named_boxes(model)) if isinstance(each.key, Parameter)]
    given = [each for part in weights for each in flat(part)]
    if len(entries) != len(given):
        raise WeightsError(
            f"{len(given)} weights were given for the {len(entries)} parameters of "
            f"{type(model).__name__}"
        )
    return [(entry.path, entry.key, each) for entry, each in zip(entries, given, strict=True)]


def _require_shape(path: str, box: Box, shape: tuple[int, ...]) -> None:
    if not agrees(box.shape, shape):
        raise WeightsError(f"{path!r} has shape {box.shape}, the weight given {shape}")


def _require_ours(path: str, box: Box) -> None:
    if box.transient:
        raise WeightsError(
            f"{path!r} belongs to a framework's own model, which reads its parameters itself; "
            f"use the framework's own way, such as torch.func.functional_call"
        )
