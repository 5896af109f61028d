"""The loop over time of `gru` on plain arrays, and its backward pass by hand.

Hidden-major inside, as `lstm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare_arrays.gates import batch_major, constants, halved, time_major, to_sigmoid
from optshare_arrays.untyped import np


def run(
    x: Any, h: Any, input_weight: Any, hidden_weight: Any, input_bias: Any, hidden_bias: Any
) -> Any:
    """The packed states, and (gates, what r resets): 4 * time * batch * hidden numbers.

    The packed states are h before the first step and after each: (time + 1, batch, hidden).
    """
    (batch, time, _), size, like = x.shape, h.shape[-1], input_weight
    half, _ = constants(like)
    sigmoids = (slice(0, 2 * size),)
    weight, recurrent = halved(input_weight, sigmoids), halved(hidden_weight, sigmoids)
    gates = np.empty_like(like, shape=(time, 3 * size, batch))
    np.matmul(weight, x.transpose(1, 2, 0), out=gates)
    reset = np.empty_like(like, shape=(time, size, batch))
    packed = np.empty_like(like, shape=(time + 1, batch, size))
    packed[0] = h
    state, product = h.T.copy("C"), np.empty_like(gates[0])
    offset, recurrent_offset = np.empty_like(gates[0]), np.empty_like(gates[0])
    offset[:] = halved(input_bias[None], sigmoids)
    recurrent_offset[:] = halved(hidden_bias[None], sigmoids)
    part = np.empty_like(state)
    for t in range(time):
        gate = gates[t]
        both, r, z, n = gate[: 2 * size], gate[:size], gate[size : 2 * size], gate[2 * size :]
        np.matmul(recurrent, state, out=product)
        product += recurrent_offset
        gate += offset
        both += product[: 2 * size]
        np.tanh(both, out=both)
        to_sigmoid(both, half)
        reset[t] = product[2 * size :]
        np.multiply(r, reset[t], out=part)
        n += part
        np.tanh(n, out=n)
        state -= n
        state *= z
        state += n
        packed[t + 1] = state.T
    return packed, (gates, reset)


def backward(
    places: Sequence[int],
    cotangent: Any,
    packed: Any,
    saved: Any,
    x: Any,
    h: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any,
    hidden_bias: Any,
) -> list[Any]:
    """The cotangents of the arguments at some places."""
    dz, dh = through_time(cotangent, packed, saved, hidden_weight)
    time, batch, size = len(saved[0]), *h.shape
    flat = dz.reshape(4 * size, time * batch)
    of_input, of_hidden = (flat[size : 3 * size], flat[:size]), (flat[size:],)
    made = {
        0: lambda: batch_major(_product_of_input(flat, input_weight.T), time),
        1: lambda: dh.T,
        2: lambda: _products(time_major(x).T, of_input),
        3: lambda: _products(packed[:time].reshape(time * batch, size).T, of_hidden),
        4: lambda: np.concatenate([np.sum(each, axis=1) for each in of_input]),
        5: lambda: np.sum(flat[size:], axis=1),
    }
    return [made[place]() for place in places]


def _product_of_input(flat: Any, turned: Any) -> Any:
    size = len(flat) // 4
    both, last = flat[size : 3 * size], flat[:size]
    return np.matmul(both.T, turned[: 2 * size]) + np.matmul(last.T, turned[2 * size :])


def _products(left: Any, parts: Sequence[Any]) -> Any:
    """left @ part.T, side by side."""
    out = np.empty_like(left, shape=(len(left), sum(map(len, parts))), order="C")
    start = 0
    for part in parts:
        np.matmul(left, part.T, out=out[:, start : start + len(part)])
        start += len(part)
    return out


def through_time(cotangent: Any, packed: Any, saved: Any, hidden_weight: Any) -> tuple[Any, Any]:
    """The cotangents of h, and of n, r, z and what r resets, before they are squashed.

    The latter are (4 * hidden, time, batch): the last three are those of the product
    with the hidden weight, the first three those of the product with the input weight.
    """
    gates, reset = saved
    time, size, batch = reset.shape
    _, one = constants(reset)
    dh, before, carried = (np.zeros_like(reset[0]) for _ in range(3))
    dz = np.empty_like(gates, shape=(4 * size, time, batch))
    d = np.empty_like(gates, shape=(4 * size, batch))
    dn, dr, du, dm = d[:size], d[size : 2 * size], d[2 * size : 3 * size], d[3 * size :]
    for t in range(time - 1, -1, -1):
        gate = gates[t]
        r, z, n = gate[:size], gate[size : 2 * size], gate[2 * size :]
        dh += cotangent[t + 1].T
        np.multiply(dh, z, out=carried)
        np.subtract(dh, carried, out=dn)
        np.subtract(packed[t].T, n, out=before)
        np.subtract(one, z, out=du)
        du *= carried
        du *= before
        np.multiply(n, n, out=before)
        np.subtract(one, before, out=before)
        dn *= before
        np.multiply(dn, r, out=dm)
        np.subtract(one, r, out=dr)
        dr *= dm
        dr *= reset[t]
        np.matmul(hidden_weight, d[size:], out=dh)
        dh += carried
        dz[:, t] = d
    return dz, dh
