"""summary: the layers of a model, with shapes, parameters and operations, without computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.layers.base import Layer, named
from optshare.overview.counting import Counted
from optshare.overview.rows import Row, Summary
from optshare.overview.watching import Call, watched
from optshare.recipes import Shape
from optshare.shapes import Shaped, counted
from optshare.sizes import Shaping, shaped
from optshare.tree import grouped, keyed


def summary(model: Callable[..., Any], *shapes: Shape, dtype: Any = np.float32) -> Summary:
    """The layers that a call reaches, with shapes, parameters and FLOPs; nothing is computed.

    Args:
        model: any callable; sizes may have been left out. It is unchanged.
        shapes: of each input, with the batch.
        dtype: of the inputs.

    FLOPs are those of one forward pass: 2 for each product that is added, 1 for
    each element of elementwise functions; the docstring of each layer has its
    formula. They count batches as a whole.

    Raises:
        DataError: an input does not fit a layer, which the error names by its path.
        NoNumbersError: the model asks for the numbers of an array.

    >>> from optshare import Chain, Dense, relu
    >>> print(summary(Chain(Dense(100, relu), Dense(10)), (1, 784)))
    path      layer             output    parameters    FLOPs
    ---------------------------------------------------------
    layers.0  Dense(100, relu)  (1, 100)      78,500  157,000
    layers.1  Dense(10)         (1, 10)        1,010    2,010
    ---------------------------------------------------------
    79,510 parameters, 310.6 KiB; 159,010 FLOPs
    """
    with counted() as count, watched(model, lambda: count.flops) as calls:
        _, shaping = shaped(model, *shapes, dtype=dtype)
    return _summary(model, calls, shaping, count.flops)


def nparams(model: Any, *shapes: Shape, dtype: Any = np.float32) -> int:
    """How many numbers the Parameters of a model hold, each counted once.

    Args:
        model: any object that holds Parameters.
        shapes: of the inputs; needed where sizes were left out.
        dtype: of the inputs.

    >>> from optshare import Dense
    >>> nparams(Dense(784, 100)), nparams(Dense(100), (1, 784))
    (78500, 78500)
    """
    if shapes:
        return summary(model, *shapes, dtype=dtype).parameters
    return sum(entry.key.size for entry in grouped(keyed(model)))


def flops(model: Callable[..., Any], *shapes: Shape, dtype: Any = np.float32) -> int:
    """The floating-point operations of one forward pass; see `summary`.

    >>> from optshare import Dense
    >>> flops(Dense(100), (32, 784))  # 32 * (2 * 784 * 100 + 100)
    5020800
    """
    return summary(model, *shapes, dtype=dtype).flops


def _summary(model: Any, calls: list[Call], shaping: Shaping, total: int) -> Summary:
    counting = Counted(model, shaping)
    rows = [row for call in calls if (row := _row(call, counting)) is not None]
    sizes = [(key, counting.size(key)) for key in counting.all]
    return Summary(
        rows,
        sum(size for _, size in sizes),
        sum(size for key, size in sizes if key.frozen),
        total,
        sum(size * _itemsize(key.dtype) for key, size in sizes),
    )


def _row(call: Call, counting: Counted) -> Row | None:
    """The row of a call; none for a container that does nothing itself."""
    own = counting.own(call)
    if call.inside and not own and not call.own:
        return None
    output = tuple(call.output.shape) if isinstance(call.output, Shaped) else None
    shown = repr(call.part) if isinstance(call.part, Layer) else named(call.part)
    frozen = bool(own) and all(key.frozen for key in own)
    return Row(
        call.path,
        shown if not call.inside else type(call.part).__name__,
        output,
        counting.taken(own),
        call.own,
        frozen,
        counting.ties(call, own),
    )


def _itemsize(dtype: Any) -> int:
    digits = "".join(each for each in str(dtype).rpartition(".")[2] if each.isdigit())
    return int(digits) // 8
