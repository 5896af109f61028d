"""`scan`: a loop whose step is called until its carry keeps its shapes, once as a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.errors import DataError
from optshare.parameter import is_array
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops, counted
from optshare.shapes.reading import shaped
from optshare.shapes.table import ops, stands_for
from optshare.structure import flat

Step = Callable[[Any, Any], tuple[Any, Any]]


@stands_for(name="scan")
def scan(step: Step, carry: Any, inputs: Any) -> tuple[Any, Any]:
    """`carry, output = step(carry, input)` along the first axis of an array; outputs are stacked.

    The step is not called again once it gives a carry of the shapes and dtypes that it took.

    Raises:
        DataError: there is no input.

    >>> scan(lambda total, x: (total + x, 2 * x), 0.0, Shaped((5, 3), "float32"))
    (Shaped((3,), float32), Shaped((5, 3), float32))
    """
    x = shaped(inputs)
    if not x.ndim or not len(x):
        raise DataError(
            f"scan: inputs have the shape {x.shape}; axis 0 must have at least one step"
        )
    outputs: list[Any] = []
    kept, cost = False, 0
    while len(outputs) < len(x) and not kept:
        before = _signature(carry)
        with counted() as once:
            carry, output = step(carry, x[0])
        kept, cost = _signature(carry) == before, once.flops
        outputs.append(output)
    count_flops((len(x) - len(outputs)) * cost)
    stacked: Any = ops.stack(outputs, axis=0)
    return carry, Shaped((len(x), *stacked.shape[1:]), stacked.dtype)


def _signature(carry: Any) -> list[Any]:
    """What the shapes of the next step depend on."""
    return [
        (tuple(each.shape), str(each.dtype)) if is_array(each) else type(each)
        for each in flat(carry)
    ]
