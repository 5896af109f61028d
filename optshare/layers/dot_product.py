"""Attention: averages of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from optshare.backend import constant, placed
from optshare.dispatch import namespace_of
from optshare.dtypes import dtype_name, host_dtype
from optshare.errors import DataError
from optshare.namespace.protocol import Namespace
from optshare.narrowing import is_host
from optshare.parameter import is_array

Shape = tuple[int, ...]


def attention(
    query: Any,
    key: Any,
    value: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    dropout: Callable[[Any], Any] | None = None,
) -> Any:
    """softmax(query key^T / sqrt(features)) value: scaled dot-product attention.

    A key that is masked has the weight 0, and its score the derivative 0, both
    exactly. A query that no key is left for gives 0, and has the derivative 0.

    Args:
        query: of shape (batch, heads, queries, features).
        key: of shape (batch, heads, keys, features).
        value: of shape (batch, heads, keys, size).
        mask: of truths, which keys a query may attend to; or of floating numbers,
            which are added to the scores, and of which -inf masks. It broadcasts to
            (batch, heads, queries, keys).
        causal: whether query i attends to the keys up to i only, counted from
            the first of each, as in PyTorch; a mask restricts it further.
        dropout: a `Dropout`, or another function of the weights.

    Returns:
        An array of shape (batch, heads, queries, size). The axes before the last
        two may be any that broadcast.

    FLOPs: for each batch and head, 2 (features + size) queries keys for the products,
    3 queries keys for the softmax, 2 more with a mask, and features queries to scale.

    Raises:
        DataError: the shapes do not fit each other, there is no key, numbers
            are integers, or the mask has another shape or dtype.

    Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> value = np.array([[[[1.0], [3.0]]]])
    >>> attention(np.zeros((1, 1, 2, 4)), np.ones((1, 1, 2, 4)), value, causal=True)
    array([[[[1.],
             [2.]]]])
    """
    _require_fitting(query, key, value)
    ops = namespace_of(query, key, value, *([] if mask is None or is_host(mask) else [mask]))
    scores = (query * query.shape[-1] ** -0.5) @ ops.matrix_transpose(key)
    allowed, scores = _restricted(ops, scores, mask, causal)
    if allowed is None:
        weights = ops.nn.softmax(scores, axis=-1)
    else:
        weights = ops.nn.softmax(ops.where(allowed, scores, _lowest(scores)), axis=-1)
        weights = weights * ops.astype(allowed, weights.dtype)
    return (weights if dropout is None else dropout(weights)) @ value


def _restricted(ops: Namespace, scores: Any, mask: Any, causal: bool) -> tuple[Any, Any]:
    """Where attention is allowed, or `None` for everywhere; and the scores with what is added."""
    if mask is not None:
        mask = _fitting(ops, mask, scores)
        if dtype_name(mask.dtype) != "bool":
            mask, scores = mask != -math.inf, scores + mask
    if not causal:
        return mask, scores
    lower = placed(ops, _lower(*scores.shape[-2:]), scores)
    return lower if mask is None else ops.logical_and(mask, lower), scores


def _fitting(ops: Namespace, mask: Any, scores: Any) -> Any:
    """A mask beside the scores; raises unless it fits them."""
    wanted = tuple(scores.shape)
    if not is_array(mask) or not _is_mask(dtype_name(mask.dtype)):
        what = f"an array of {mask.dtype}" if is_array(mask) else f"a {type(mask).__name__}"
        raise DataError(
            f"attention: the mask must be an array of truths, True where a query may attend, or of "
            f"floating numbers to add to the scores, not {what}; write mask != 0"
        )
    if not mask.shape or _broadcast(mask.shape, wanted) != wanted:
        raise DataError(
            f"attention: a mask of shape {tuple(mask.shape)} does not broadcast to the scores' "
            f"(batch, heads, queries, keys) = {wanted}"
        )
    there = placed(ops, mask, scores) if is_host(mask) else mask
    alike = dtype_name(mask.dtype) in ("bool", dtype_name(scores.dtype))
    return there if alike else ops.astype(there, scores.dtype)


def _is_mask(dtype: str) -> bool:
    return dtype == "bool" or "float" in dtype


def _require_fitting(query: Any, key: Any, value: Any) -> None:
    """Raise unless three arrays are queries, keys and values for each other."""
    given = {"query": query, "key": key, "value": value}
    for name, x in given.items():
        dtype = getattr(x, "dtype", None)
        if dtype is None or "float" not in dtype_name(dtype):
            what = f"a {type(x).__name__}" if dtype is None else f"an array of {dtype}"
            raise DataError(f"attention: {name} must be an array of real numbers, not {what}")
    shapes = [tuple(x.shape) for x in given.values()]
    if not _fit(*shapes):
        named = ", ".join(f"{name} {shape}" for name, shape in zip(given, shapes, strict=True))
        raise DataError(
            f"attention needs query (..., queries, features), key (..., keys, features) and value "
            f"(..., keys, size) of at least one feature and one key, not {named}"
        )


def _fit(query: Shape, key: Shape, value: Shape) -> bool:
    if min(len(query), len(key), len(value)) < 2 or not query[-1] or not key[-2]:
        return False
    together = _broadcast(query[:-2], key[:-2], value[:-2]) is not None
    return together and query[-1] == key[-1] and key[-2] == value[-2]


def _broadcast(*shapes: Any) -> Shape | None:
    """The shape that some broadcast to, or `None`."""
    try:
        return np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        return None


def _lowest(scores: Any) -> float:
    """A score next to which any other has all the weight; half the lowest, so that none is -inf."""
    return float(np.finfo(host_dtype(scores.dtype)).min) / 2


@lru_cache(maxsize=16)
def _lower(queries: int, keys: int) -> Any:
    """Whether a key is not after a query."""
    return constant(np.tri(queries, keys, dtype=np.bool_))
