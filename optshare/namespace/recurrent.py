"""Recurrent networks and embeddings, composed of the namespace's other functions.

This is their mathematics; a backend that has them faster gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.namespace.protocol import Namespace

Step = Callable[[Any, Any], tuple[Any, Any]]


def scan(ops: Namespace, step: Step, carry: Any, inputs: Any) -> tuple[Any, Any]:
    """`carry, output = step(carry, input)` along the first axis of an array; outputs are stacked.

    There is at least one input. A compiler may call `step` once for all of them: it depends on
    its arguments alone, and reads no Parameter.
    """
    outputs: list[Any] = []
    for each in _entries(inputs):
        carry, output = step(carry, each)
        outputs.append(output)
    return carry, ops.stack(outputs, axis=0)


def _entries(array: Any) -> list[Any]:
    """The entries along the first axis, taken from ever smaller parts.

    The gradient of an entry is as large as what it was taken from: taken from the whole, n
    entries would take time in proportion to n * n.
    """
    count = array.shape[0]
    if count <= _FEW:
        return [array[place] for place in range(count)]
    return [*_entries(array[: count // 2]), *_entries(array[count // 2 :])]


_FEW = 16


def lstm(
    ops: Namespace, x: Any, h: Any, c: Any, input_weight: Any, hidden_weight: Any, bias: Any
) -> tuple[Any, Any, Any]:
    """A long short-term memory (Hochreiter and Schmidhuber 1997; forget gate, Gers et al. 2000).

    The gates i, f, g, o of a step are x W + h U + b; then
    c = sigmoid(f) c + sigmoid(i) tanh(g) and h = sigmoid(o) tanh(c).

    Args:
        ops: the namespace.
        x: the sequences, (batch, time, features).
        h: the state before the first step, (batch, hidden).
        c: the cells before the first step, (batch, hidden).
        input_weight: W, (features, 4 * hidden).
        hidden_weight: U, (hidden, 4 * hidden).
        bias: b, (4 * hidden,).

    Returns:
        h after each step, (batch, time, hidden), and h and c after the last.

    Raises:
        ValueError: shapes do not fit, or there is no step.
    """
    require_recurrent(
        "lstm", 4, x, h, c=c, input_weight=input_weight, hidden_weight=hidden_weight, bias=bias
    )
    size, sigmoid = h.shape[-1], ops.nn.sigmoid

    def step(carry: Any, projected: Any) -> tuple[Any, Any]:
        h, c = carry
        z = projected + h @ hidden_weight
        i, f, g, o = (z[:, k * size : (k + 1) * size] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * ops.tanh(g)
        h = sigmoid(o) * ops.tanh(c)
        return (h, c), h

    projected = ops.permute_dims(x @ input_weight + bias, (1, 0, 2))
    (h, c), hs = ops.scan(step, (h, c), projected)
    return ops.permute_dims(hs, (1, 0, 2)), h, c


def gru(
    ops: Namespace,
    x: Any,
    h: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any,
    hidden_bias: Any,
) -> tuple[Any, Any]:
    """A gated recurrent unit (Cho et al. 2014), reset after the product with the hidden weight.

    The gates of a step are r, z = sigmoid(x W + b + h U + d), and
    n = tanh(x W + b + r (h U + d)); then h = (1 - z) n + z h.

    Args:
        ops: the namespace.
        x: the sequences, (batch, time, features).
        h: the state before the first step, (batch, hidden).
        input_weight: W, (features, 3 * hidden), in the order r, z, n.
        hidden_weight: U, (hidden, 3 * hidden).
        input_bias: b, (3 * hidden,).
        hidden_bias: d, (3 * hidden,).

    Returns:
        h after each step, (batch, time, hidden), and h after the last.

    Raises:
        ValueError: shapes do not fit, or there is no step.
    """
    require_recurrent(
        "gru",
        3,
        x,
        h,
        input_weight=input_weight,
        hidden_weight=hidden_weight,
        input_bias=input_bias,
        hidden_bias=hidden_bias,
    )
    size, sigmoid = h.shape[-1], ops.nn.sigmoid

    def step(h: Any, projected: Any) -> tuple[Any, Any]:
        recurrent = h @ hidden_weight + hidden_bias
        both = sigmoid(projected[:, : 2 * size] + recurrent[:, : 2 * size])
        r, z = both[:, :size], both[:, size:]
        n = ops.tanh(projected[:, 2 * size :] + r * recurrent[:, 2 * size :])
        h = n + z * (h - n)
        return h, h

    projected = ops.permute_dims(x @ input_weight + input_bias, (1, 0, 2))
    h, hs = ops.scan(step, h, projected)
    return ops.permute_dims(hs, (1, 0, 2)), h


def require_recurrent(name: str, gates: int, x: Any, h: Any, **arrays: Any) -> None:
    """Raise `ValueError` unless the arrays of a recurrent network fit to x and h.

    Args:
        name: the function's, for the message.
        gates: how many parts of the size of h the weights have.
        x: the sequences.
        h: the state.
        arrays: `c`, `input_weight`, `hidden_weight`, and biases by any name.
    """
    if len(x.shape) != 3 or len(h.shape) != 2:
        raise ValueError(
            f"{name}: x has shape {tuple(x.shape)} and h has shape {tuple(h.shape)}; "
            f"they must be (batch, time, features) and (batch, hidden)"
        )
    (batch, time, features), hidden = x.shape, h.shape[-1]
    if time == 0:
        raise ValueError(
            f"{name}: x has shape {tuple(x.shape)}: axis 1, time, must have at least one step"
        )
    wide = gates * hidden
    wanted = {
        "h": (batch, hidden),
        "c": (batch, hidden),
        "input_weight": (features, wide),
        "hidden_weight": (hidden, wide),
    }
    for each, array in {"h": h, **arrays}.items():
        fitting = wanted.get(each, (wide,))
        if tuple(array.shape) != fitting:
            raise ValueError(
                f"{name}: {each} has shape {tuple(array.shape)}; beside x of shape "
                f"{tuple(x.shape)} and h of shape {tuple(h.shape)} it must be {fitting}"
            )


def embedding(ops: Namespace, indices: Any, weight: Any) -> Any:
    """The rows of a weight at integer indices; a row taken several times sums its gradients.

    Args:
        ops: the namespace.
        indices: integers from 0 to count - 1, of any shape. Out of range they raise,
            except where a compiler does not know them.
        weight: the rows, (count, features).

    Returns:
        An array of the shape of the indices, and features.

    Raises:
        TypeError: the indices are not integers.
        IndexError: an index is out of range.
        ValueError: the weight has not two axes.
    """
    indices = ops.asarray(indices)
    if len(weight.shape) != 2:
        raise ValueError(
            f"embedding: the weight has shape {tuple(weight.shape)}; it must be (count, features)"
        )
    if "int" not in str(indices.dtype):
        raise TypeError(f"embedding: indices must be integers, not {indices.dtype}")
    _require_rows(ops, indices, weight.shape[0])
    rows = ops.take(weight, ops.reshape(indices, (-1,)), axis=0)
    return ops.reshape(rows, (*indices.shape, weight.shape[1]))


def _require_rows(ops: Namespace, indices: Any, count: int) -> None:
    if 0 in indices.shape:
        return
    low, high = ops.min(indices), ops.max(indices)
    if ops.is_concrete(low) and not 0 <= int(low) <= int(high) < count:
        wrong = int(low) if int(low) < 0 else int(high)
        raise IndexError(f"embedding: index {wrong} is out of range; there are {count} rows")
