"""The loop over time of `lstm` on plain arrays, and its backward pass by hand.

A step's arrays are hidden-major, (hidden, batch), so that each gate is one
contiguous block and a product has its long side first. A sigmoid is computed
as (1 + tanh(x / 2)) / 2, whose halving the weights take in advance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare_arrays.gates import batch_major, constants, halved, time_major, to_sigmoid
from optshare_arrays.untyped import np


def run(x: Any, h: Any, c: Any, input_weight: Any, hidden_weight: Any, bias: Any) -> Any:
    """The packed states, and (gates, cells): 5 * time * batch * hidden numbers.

    The packed states are h before the first step and after each, and c after the
    last: (time + 2, batch, hidden).
    """
    (batch, time, _), size, like = x.shape, h.shape[-1], input_weight
    half, _ = constants(like)
    sigmoids = slice(0, 2 * size), slice(3 * size, 4 * size)
    weight, recurrent = halved(input_weight, sigmoids), halved(hidden_weight, sigmoids)
    gates = np.empty_like(like, shape=(time, 4 * size, batch))
    np.matmul(weight, x.transpose(1, 2, 0), out=gates)
    cells = np.empty_like(like, shape=(time + 1, size, batch))
    packed = np.empty_like(like, shape=(time + 2, batch, size))
    packed[0], cells[0] = h, c.T
    state, product = h.T.copy("C"), np.empty_like(gates[0])
    offset, part = np.empty_like(gates[0]), np.empty_like(state)
    offset[:] = halved(bias[None], sigmoids)
    for t in range(time):
        z, cell = gates[t], cells[t + 1]
        i, f, g, o = z[:size], z[size : 2 * size], z[2 * size : 3 * size], z[3 * size :]
        np.matmul(recurrent, state, out=product)
        z += product
        z += offset
        np.tanh(z, out=z)
        to_sigmoid(z[: 2 * size], half)
        to_sigmoid(o, half)
        np.multiply(f, cells[t], out=cell)
        np.multiply(i, g, out=part)
        cell += part
        np.tanh(cell, out=state)
        state *= o
        packed[t + 1] = state.T
    packed[time + 1] = cells[time].T
    return packed, (gates, cells)


def backward(
    places: Sequence[int],
    cotangent: Any,
    packed: Any,
    saved: Any,
    x: Any,
    h: Any,
    c: Any,
    input_weight: Any,
    hidden_weight: Any,
    bias: Any,
) -> list[Any]:
    """The cotangents of the arguments at some places."""
    dz, dh, dc = through_time(cotangent, saved, hidden_weight)
    time, batch, size = len(saved[0]), *h.shape
    rows, flat = time * batch, dz.reshape(4 * size, time * batch)
    made = {
        0: lambda: batch_major(np.matmul(flat.T, input_weight.T), time),
        1: lambda: dh.T,
        2: lambda: dc.T,
        3: lambda: np.matmul(time_major(x).T, flat.T),
        4: lambda: np.matmul(packed[:time].reshape(rows, size).T, flat.T),
        5: lambda: np.sum(flat, axis=1),
    }
    return [made[place]() for place in places]


def through_time(cotangent: Any, saved: Any, hidden_weight: Any) -> tuple[Any, Any, Any]:
    """The cotangents of the gates before their squashing, (4 * hidden, time, batch), of h and c."""
    gates, cells = saved
    time, size, batch = len(gates), *cells.shape[1:]
    _, one = constants(cells)
    dh, dc = np.zeros_like(cells[0]), cotangent[time + 1].T.copy("C")
    dz = np.empty_like(gates, shape=(4 * size, time, batch))
    d, squashed, part = np.empty_like(gates[0]), np.empty_like(dh), np.empty_like(dh)
    di, df, dg, do = d[:size], d[size : 2 * size], d[2 * size : 3 * size], d[3 * size :]
    for t in range(time - 1, -1, -1):
        z = gates[t]
        i, f, g, o = z[:size], z[size : 2 * size], z[2 * size : 3 * size], z[3 * size :]
        dh += cotangent[t + 1].T
        np.multiply(z, z, out=d)
        np.subtract(z[: 2 * size], d[: 2 * size], out=d[: 2 * size])
        np.subtract(one, dg, out=dg)
        np.subtract(o, do, out=do)
        np.tanh(cells[t + 1], out=squashed)
        do *= squashed
        do *= dh
        np.multiply(squashed, squashed, out=part)
        np.subtract(one, part, out=part)
        part *= o
        part *= dh
        dc += part
        for mine, other in ((di, g), (df, cells[t]), (dg, i)):
            mine *= other
            mine *= dc
        dc *= f
        np.matmul(hidden_weight, d, out=dh)
        dz[:, t] = d
    return dz, dh, dc
