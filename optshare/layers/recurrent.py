"""What recurrent layers share: their sizes, states, directions and layers."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from optshare.dispatch import namespace_of, ops
from optshare.errors import DataError, MixedBackendsError
from optshare.initializers import generator, glorot_uniform
from optshare.layers.base import Guarded, Layer
from optshare.layers.checks import require_floating, unfit, whole
from optshare.layers.dropout import Dropout
from optshare.layers.weights import bias as bias_of
from optshare.layers.weights import weight as weight_of
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_sequence
from optshare.orientation import Fans, first_in

Arrays = tuple[Any, ...]


class Cell(Guarded):
    """The weights of one layer in one direction; `None` is a bias that it has not."""

    def __init__(
        self, features: int | None, hidden: int, gates: int, init: Any, dtype: Any, rng: Any
    ) -> None:
        self.input_weight = weight_of(init, (features, gates * hidden), dtype, rng)
        self.hidden_weight = weight_of(init, (hidden, gates * hidden), dtype, rng)
        self.bias: Any = None
        self.hidden_bias: Any = None

    def __fans__(self) -> dict[str, Fans]:
        """The axes of both weights."""
        return {"input_weight": first_in(2), "hidden_weight": first_in(2)}


class Recurrent(Layer):
    """The base of `RNN`, `LSTM` and `GRU`, which are called in one way."""

    gates: ClassVar[int]
    """How many times the hidden size the weights are wide."""
    kept: ClassVar[int] = 1
    """How many arrays a cell hands from one step to the next; the first is its output."""
    biases: ClassVar[tuple[str, ...]] = ("bias",)
    """The biases of a cell."""

    def __init__(
        self,
        *sizes: int,
        layers: int = 1,
        bidirectional: bool = False,
        bias: bool = True,
        dropout: float = 0.0,
        return_sequences: bool = True,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._sizes = self._checked(sizes)
        whole(type(self).__name__, layers=layers)
        self.hidden: int = sizes[-1]
        self.layers, self.bidirectional, self.bias = layers, bidirectional, bias
        self.dropout, self.return_sequences = dropout, return_sequences
        drop = Dropout(dropout, seed=int(generator(rng).integers(2**63))) if dropout != 0 else None
        self.between = drop if layers > 1 else None
        """What acts on the outputs of all layers but the last: a Dropout, or `None`."""
        self.cells = [
            self._cell(features, init, dtype, rng)
            for features in self._widths()
            for _ in range(self._directions)
        ]
        """The weights: those of each layer; of each, forward and then backward."""

    def _checked(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        name = type(self).__name__
        if any(map(callable, sizes)):
            raise TypeError(f"{name} takes no activation: its gates have their own")
        if not 1 <= len(sizes) <= 2:
            raise TypeError(
                f"{name} takes {name}(hidden) or {name}(features, hidden), not {len(sizes)} sizes"
            )
        whole(name, **dict(zip(("hidden", "features"), sizes[::-1], strict=False)))
        return sizes

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _widths(self) -> list[int | None]:
        """How many features each layer takes."""
        first = self._sizes[0] if len(self._sizes) == 2 else None
        return [first, *[self._directions * self.hidden] * (self.layers - 1)]

    def _cell(self, features: int | None, init: Any, dtype: Any, rng: Any) -> Cell:
        cell = Cell(features, self.hidden, self.gates, init, dtype, rng)
        for name in self.biases if self.bias else ():
            setattr(cell, name, bias_of((self.gates * self.hidden,), dtype))
        return cell

    def given(self) -> tuple[Any, ...]:
        """The sizes."""
        return self._sizes

    def __call__(self, x: Any, state: Any = None) -> Any:
        """The outputs for sequences: (batch, time, width), or (batch, width) of the last ones."""
        return self.run(x, state)[0]

    def run(self, x: Any, state: Any = None) -> tuple[Any, Arrays]:
        """The outputs for sequences (batch, time, features), and the state after them.

        It begins with a state that `run`, `step` or `initial` gave, or with zeros.
        """
        self._admit(x, "batch", "time > 0")
        outputs, state = self._through(x, self._divided(x.shape[0], state))
        return (outputs if self.return_sequences else self._last(state)), state

    def step(self, x: Any, state: Any = None) -> tuple[Any, Arrays]:
        """The output (batch, hidden) for one step (batch, features), and the state after it.

        Raises:
            TypeError: the layer is bidirectional.
        """
        if self.bidirectional:
            raise TypeError(
                f"{self!r} has no step: its second direction begins at the end of a sequence; "
                f"call it on whole sequences"
            )
        self._admit(x, "batch")
        _, state = self._through(x[:, None, :], self._divided(x.shape[0], state))
        return self._last(state), state

    def initial(self, batch: int) -> Arrays:
        """The state in which sequences begin: zeros, (batch, hidden) each.

        They are arrays of the engine, the device and the dtype of the weights.
        """
        given: Any = batch
        if not isinstance(given, int | np.integer) or given < 0:
            raise DataError(f"{self!r}: initial takes the number of sequences, not {batch!r}")
        return self._zeros(batch)

    def _zeros(self, batch: int) -> Arrays:
        weight = self.cells[0].hidden_weight.value
        ops = namespace_of(weight)
        zeros = ops.zeros_like(ops.broadcast_to(weight[:1, : self.hidden], (batch, self.hidden)))
        return (zeros,) * (len(self.cells) * self.kept)

    def _admit(self, x: Any, *axes: str) -> None:
        """Let in an input with these axes and features; take their number if none was given."""
        weight, shape = self.cells[0].input_weight, _shape(x)
        fits = len(shape) == len(axes) + 1 and shape[-1:] == weight.shape[:1]
        if not fits or 0 in shape[1:] or x.dtype != weight.dtype:
            self._fit(x, axes, weight.shape[0])

    def _fit(self, x: Any, axes: tuple[str, ...], features: int | None) -> None:
        shape = require_floating(self, x)
        if len(shape) != len(axes) + 1 or 0 in shape[1:] or features not in (None, shape[-1]):
            last = "features" if features is None else f"{features} features"
            raise unfit(self, f"an array ({', '.join(axes)}, {last})", x)
        for cell in self.cells[: self._directions]:
            if not cell.input_weight.built:
                cell.input_weight.build((shape[-1], self.gates * self.hidden))

    def _divided(self, batch: int, state: Any) -> list[Arrays]:
        """A state that fits, in the parts of the cells; zeros for none."""
        wanted = [(batch, self.hidden)] * (len(self.cells) * self.kept)
        given = self._zeros(batch) if state is None else state
        shapes = [_shape(each) for each in given] if is_sequence(given) else None
        if shapes != wanted:
            got = f"one {type(given).__name__}" if shapes is None else f"of shapes {shapes}"
            raise DataError(
                f"{self!r} needs a state of shapes {wanted}, as run, step and initial give it, "
                f"not {got}"
            )
        return [tuple(given[k : k + self.kept]) for k in range(0, len(wanted), self.kept)]

    def _through(self, x: Any, parts: list[Arrays]) -> tuple[Any, Arrays]:
        """The outputs of the last layer at each step, and the state after the last step."""
        ops, after = _namespace(x, self.cells[0].hidden_weight.value), list[Any]()
        for first in range(0, len(self.cells), self._directions):
            if first and self.between is not None:
                x = self.between(x)
            outputs: list[Any] = []
            for direction in range(self._directions):
                cell, part = self.cells[first + direction], parts[first + direction]
                hs, *ends = self._along(ops, cell, ops.flip(x, axis=1) if direction else x, part)
                outputs.append(ops.flip(hs, axis=1) if direction else hs)
                after += ends
            x = _joined(ops, outputs)
        return x, tuple(after)

    def _last(self, state: Arrays) -> Any:
        """The output of the last layer at the end of each direction."""
        ends = state[-self._directions * self.kept :: self.kept]
        return _joined(namespace_of(*ends), list(ends))

    def _along(self, ops: Namespace, cell: Cell, x: Any, state: Arrays) -> Arrays:
        """The outputs of a cell along a sequence, and its arrays after the last step."""
        raise NotImplementedError


def _namespace(x: Any, weight: Any) -> Namespace:
    try:
        return namespace_of(x, weight)
    except MixedBackendsError:  # one engine inside another: the operators know both
        return _composed()


@cache
def _composed() -> Namespace:
    """Recurrent networks by their definitions; each function asks anew whose its array is."""
    from optshare.namespace.completed import complete  # noqa: PLC0415 # seldom needed: 8 ms

    return complete(ops, nn=SimpleNamespace(sigmoid=ops.nn.sigmoid))


def _joined(ops: Namespace, arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else ops.concat(arrays, axis=-1)


def _shape(array: Any) -> tuple[int, ...]:
    return tuple(getattr(array, "shape", ()))


def bias_value(ops: Namespace, bias: Any, weight: Any) -> Any:
    """A bias, or zeros beside a weight for a cell that has none."""
    return ops.zeros_like(weight[0]) if bias is None else bias.value
