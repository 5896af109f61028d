"""Einstein's summation: the sizes of its letters, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optshare.errors import DataError
from optshare.namespace.subscripts import lettered_subscripts, parsed_subscripts
from optshare.shapes.array import Shaped
from optshare.shapes.counting import count_flops
from optshare.shapes.reading import ghost, shaped, shapes_of
from optshare.shapes.table import stands_for
from optshare.shapes.untyped import np


@stands_for(np.einsum, name="einsum")
def einsum(subscripts: Any, *operands: Any, optimize: Any = True) -> Shaped:
    """The sum of products that subscripts such as `"ij,jk->ik"` describe.

    >>> einsum("bhqd,bhkd->bhqk", np.ones((2, 4, 5, 8)), np.ones((2, 4, 7, 8)))
    Shaped((2, 4, 5, 7), float64)
    """
    if not isinstance(subscripts, str):
        subscripts, operands = lettered_subscripts((subscripts, *operands))
    arrays = [shaped(each) for each in operands]
    dtype = np.result_type(*(getattr(each, "dtype", each) for each in operands))
    inputs, output = parsed_subscripts(subscripts, [each.ndim for each in arrays])
    sizes = _sizes(subscripts, inputs, arrays)
    count_flops(_cost(inputs, output, sizes, arrays))
    return Shaped(tuple(sizes[letter] for letter in output), dtype)


def _sizes(subscripts: str, inputs: Sequence[str], arrays: Sequence[Shaped]) -> dict[str, int]:
    """The size of each letter; an axis of 1 is repeated beside others."""
    sizes: dict[str, int] = {}
    for letters, array in zip(inputs, arrays, strict=True):
        for letter, n in zip(letters, array.shape, strict=True):
            known = sizes.get(letter, 1)
            if 1 not in (n, known) and n != known:
                raise DataError(
                    f"einsum {subscripts!r} of the shapes {shapes_of(*arrays)}: {letter!r} names "
                    f"axes of {known} and {n}"
                )
            sizes[letter] = n if known == 1 else known
    return sizes


def _cost(
    inputs: Sequence[str], output: str, sizes: dict[str, int], arrays: Sequence[Shaped]
) -> int:
    """The operations, where arrays are contracted in the order that NumPy finds."""
    path: Any = np.einsum_path(f"{','.join(inputs)}->{output}", *map(ghost, arrays))
    terms, total = list(inputs), 0
    for places in path[0][1:]:
        met = [terms.pop(place) for place in sorted(places, reverse=True)]
        letters = set("".join(met))
        kept = letters & set("".join([output, *terms]))
        total += (len(met) - 1 + (kept != letters)) * math.prod(sizes[each] for each in letters)
        terms.append("".join(kept))
    return total
