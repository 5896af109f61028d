"""Recurrent networks as fused primitives, each with one array of all its states as its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from optshare.extend import Namespace, complete, require_recurrent
from optshare_arrays import gru as gru_loop
from optshare_arrays import lstm as lstm_loop
from optshare_arrays.elementwise import tanh
from optshare_arrays.fused import Fused
from optshare_arrays.indexing import take
from optshare_arrays.neural import sigmoid
from optshare_arrays.primitives import plain, unboxed
from optshare_arrays.shaping import concat, expand_dims, permute_dims, stack
from optshare_arrays.untyped import np

Function = Callable[..., Any]

_composed: Namespace = complete(
    SimpleNamespace(tanh=tanh, stack=stack, permute_dims=permute_dims),
    nn=SimpleNamespace(sigmoid=sigmoid),
)
"""The functions that the definitions are composed of."""


def _run(loop: Function, *args: Any) -> tuple[Any, Any]:
    dtype = np.result_type(*args)
    packed, saved = loop(*_ready(args, dtype))
    return packed.astype(dtype, copy=False), (packed, saved)


def _backward(loop: Function, places: Sequence[int], g: Any, saved: Any, *args: Any) -> Any:
    packed, rest = saved
    g, *ready = _ready((g, *args), packed.dtype)
    return loop(places, g, packed, rest, *ready)


def _ready(arrays: Sequence[Any], dtype: Any) -> list[Any]:
    """Arrays of one dtype, contiguous as BLAS wants them; those of half precision in single.

    NumPy's own half precision is slow, and would round at each step.
    """
    wide = np.promote_types(dtype, np.float32)
    return [each.astype(wide, order="C", copy=False) for each in arrays]


def _lstm_packed(x: Any, h: Any, c: Any, *weights: Any) -> Any:
    hs, _, last = _composed.nn.lstm(x, h, c, *weights)
    parts = expand_dims(h, 0), permute_dims(hs, (1, 0, 2)), expand_dims(last, 0)
    return concat(parts)


def _gru_packed(x: Any, h: Any, *weights: Any) -> Any:
    hs, _ = _composed.nn.gru(x, h, *weights)
    return concat((expand_dims(h, 0), permute_dims(hs, (1, 0, 2))))


_lstm = Fused(
    _lstm_packed,
    partial(_run, lstm_loop.run),
    partial(_backward, lstm_loop.backward),
    name="lstm",
)
_gru = Fused(
    _gru_packed, partial(_run, gru_loop.run), partial(_backward, gru_loop.backward), name="gru"
)


def lstm(
    x: Any, h: Any, c: Any, input_weight: Any, hidden_weight: Any, bias: Any
) -> tuple[Any, Any, Any]:
    """A long short-term memory; kept for its backward pass are 6 * time * batch * hidden numbers.

    They are the gates, the cells and the states; and its arguments are kept.
    """
    args = tuple(map(unboxed, (x, h, c, input_weight, hidden_weight, bias)))
    if not _is_floating(args):
        return _composed.nn.lstm(*args)
    x, h, c, input_weight, hidden_weight, bias = args
    require_recurrent(
        "lstm", 4, x, h, c=c, input_weight=input_weight, hidden_weight=hidden_weight, bias=bias
    )
    packed, time = _lstm(*args), x.shape[1]
    return _outputs(packed, time), take(packed, time, axis=0), take(packed, time + 1, axis=0)


def gru(
    x: Any, h: Any, input_weight: Any, hidden_weight: Any, input_bias: Any, hidden_bias: Any
) -> tuple[Any, Any]:
    """A gated recurrent unit; kept for its backward pass are 5 * time * batch * hidden numbers.

    They are the gates, what r resets and the states; and its arguments are kept.
    """
    args = tuple(map(unboxed, (x, h, input_weight, hidden_weight, input_bias, hidden_bias)))
    if not _is_floating(args):
        return _composed.nn.gru(*args)
    x, h, *rest = args
    names = "input_weight", "hidden_weight", "input_bias", "hidden_bias"
    require_recurrent("gru", 3, x, h, **dict(zip(names, rest, strict=True)))
    packed, time = _gru(*args), x.shape[1]
    return _outputs(packed, time), take(packed, time, axis=0)


def _outputs(packed: Any, time: int) -> Any:
    return permute_dims(packed[1 : time + 1], (1, 0, 2))


def _is_floating(args: Sequence[Any]) -> bool:
    return np.result_type(*map(plain, args)).kind == "f"
