"""How many operations on numbers the functions of `optshare.shapes.ops` stand for.

- Functions by elements, operators, comparisons, `where` and `clip`: 1 for each element of the
  answer.
- `sum`, `prod`, `max`, `min`, `all`, `any`, `argmax`, `argmin`, `cumulative_sum` and
  `cumulative_prod`: 1 for each element that goes in.
- `mean`: as `sum`, and 1 for each element of the answer (the division).
- `var`: 4 for each element that goes in (mean, difference, square, sum), 2 for each of the answer
  (both divisions); `std`: 3 for each of the answer.
- `logsumexp`: 2 for each element that goes in (exponential, sum), 1 for each of the answer.
- `diff`: 1 for each difference, in each of the n rounds.
- `matmul`, `tensordot`, `vecdot`, `einsum`: 2 for each product that is added; 1 where none are
  added to another. Of more than two arrays, `einsum` counts as in the order of
  `numpy.einsum_path`.
- `nn.linear`: as the product, and 1 for each element of the answer (the bias).
- `nn.conv`, `nn.conv_transpose`: 2 for each product of an element and a weight; padding counts as
  elements.
- `nn.max_pool`, `nn.mean_pool`: 1 for each element of each window.
- Activations of `nn`: 1 for each element; `nn.softmax` and `nn.log_softmax` 3 (exponential, sum,
  and quotient or difference); `nn.cross_entropy` as `log_softmax`, and 1 for each label.
- `nn.lstm`, `nn.gru`, `scan`: what a step is composed of, times the steps.
- Shapes, indexing, sorting, casts, creation, parts of complex numbers, `nn.embedding`, `random`: 0.

An operation counts 1 whatever the dtype, and whatever it costs a machine.
"""

from __future__ import annotations

import contextvars
from collections.abc import Generator
from contextlib import contextmanager


class Count:
    """What `counted` gives."""

    def __init__(self, outer: Count | None = None) -> None:
        self.flops = 0
        """The operations so far."""
        self._outer = outer

    def add(self, flops: int) -> None:
        """Count some operations, here and in the counts around this one."""
        self.flops += flops
        if self._outer is not None:
            self._outer.add(flops)

    def __repr__(self) -> str:
        return f"Count(flops={self.flops})"


_current: contextvars.ContextVar[Count | None] = contextvars.ContextVar("count", default=None)


@contextmanager
def counted() -> Generator[Count]:
    """A `with` that counts the operations of all functions of arrays without numbers.

    Of two, one inside the other, the inner one adds to the outer one too.

    >>> import numpy as np
    >>> from optshare.shapes import Shaped
    >>> x, weight = Shaped((5, 3), np.float32), Shaped((3, 2), np.float32)
    >>> with counted() as count:
    ...     y = x @ weight + 1.0
    >>> count
    Count(flops=70)
    """
    count = Count(_current.get())
    token = _current.set(count)
    try:
        yield count
    finally:
        _current.reset(token)


@contextmanager
def uncounted() -> Generator[None]:
    """A `with` whose operations count nowhere: whoever writes it counts them by another rule."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def count_flops(flops: int) -> None:
    """Count some operations, if anybody counts."""
    count = _current.get()
    if count is not None:
        count.add(flops)
