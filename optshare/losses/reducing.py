"""From one loss for each element to a number: masks, weights, reductions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from optshare.errors import DataError, HyperparameterError
from optshare.losses.arrays import array, beside, fitting, numbers_of
from optshare.namespace.protocol import Namespace

Reduction = Literal["mean", "sum", "none"]
"""`"mean"`, `"sum"`, or `"none"` for the losses themselves."""


def reduced(name: str, ops: Namespace, losses: Any, reduction: str, counts: Any = None) -> Any:
    """Losses, already weighted, as the reduction says.

    Args:
        name: the loss, for the message.
        ops: the namespace.
        losses: one for each element.
        reduction: what to do.
        counts: how much each counts in the mean, in their shape; by default 1.
    """
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise HyperparameterError(f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
    if reduction == "sum":
        return ops.sum(losses)
    if 0 in losses.shape:
        raise DataError(
            f"{name}: the losses have shape {tuple(losses.shape)}, so there is no mean; "
            f"leave the empty batch out, or ask for reduction='sum'"
        )
    return ops.mean(losses) if counts is None else ops.sum(losses) / _total(name, ops, counts)


def weighted(name: str, ops: Namespace, losses: Any, reduction: str, weight: Any, keep: Any) -> Any:
    """Losses, each times its weight, and 0 where it is left out, as the reduction says.

    Args:
        name: the loss, for the message.
        ops: the namespace.
        losses: one for each element, finite also where it is left out.
        reduction: what to do; the mean is the weighted one.
        weight: what broadcasts to the losses, or `None` for 1.
        keep: from `kept`, or `None` for all.
    """
    if weight is None and keep is None:
        return reduced(name, ops, losses, reduction)
    counts = counted(name, ops, losses, weight, keep)
    return reduced(name, ops, losses * counts, reduction, counts)


def counted(name: str, ops: Namespace, like: Any, weight: Any, keep: Any) -> Any:
    """How much each element of an array counts: its weight, and 0 where it is left out."""
    counts = ops.ones_like(like)
    if weight is not None:
        weight = fitting(ops, weight, like)
        require_broadcast(name, "weight", weight, like)
        counts = ops.broadcast_to(weight, tuple(like.shape))
    return counts if keep is None else ops.where(keep, counts, 0.0)


def kept(name: str, ops: Namespace, mask: Any, like: Any) -> Any:
    """A mask as truths in the shape of an array.

    Raises:
        DataError: it does not broadcast, has other numbers than 0 and 1, or keeps nothing.
    """
    shape, mask = tuple(like.shape), array(mask)
    require_broadcast(name, "mask", mask, like)
    numbers = numbers_of(ops, mask)
    if numbers is None:
        return ops.broadcast_to(mask != 0, shape)
    if not np.isin(numbers, (0, 1)).all():
        raise DataError(f"{name}: the mask has numbers other than 0 and 1; use weight=")
    if not numbers.any():
        raise DataError(f"{name}: the mask keeps nothing of shape {shape}; leave the batch out")
    return beside(ops, np.ones(shape, bool) & (numbers != 0), like)


def require_broadcast(name: str, what: str, x: Any, like: Any) -> None:
    """Raise `DataError` unless an array broadcasts to the shape of another."""
    given, shape = tuple(x.shape), tuple(like.shape)
    ends = shape[len(shape) - len(given) :]
    if len(given) > len(shape) or any(n not in (1, m) for n, m in zip(given, ends, strict=True)):
        raise DataError(
            f"{name}: the {what} has shape {given}, which does not broadcast to {shape}; "
            f"write {what}[..., None] for a trailing axis"
        )


def _total(name: str, ops: Namespace, counts: Any) -> Any:
    total = ops.sum(counts)
    known = ops.stop_gradient(total)
    if ops.is_concrete(known) and float(known) == 0:
        raise DataError(f"{name}: the weights of what counts sum to 0, so there is no mean")
    return total
