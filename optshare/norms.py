"""The norm of all gradients together, and whether they are finite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np

from optshare.dtypes import is_complex, working_dtype
from optshare.kernels.expression import squared
from optshare.kernels.gathering import gathered
from optshare.kernels.numpy import flat_pieces
from optshare.kernels.reference import cast
from optshare.rules.transform import Given


def worked(each: Given) -> Any:
    """The gradient in the dtype that rules compute in, without its scale."""
    return cast(each.ops, each.gradient, working_dtype(each.gradient, each.ops))


def global_norm(given: list[Given]) -> float:
    """The root of the sum of squares of all gradients.

    >>> one, other = (Given(None, "", np, None, np.array([x])) for x in (3.0, 4.0))
    >>> global_norm([one, other])
    5.0
    """
    return math.sqrt(sum(float(_sum_of_squares(run)) for run in _by_engine(given)))


def _by_engine(given: list[Given]) -> list[list[Given]]:
    """Those with a gradient, in runs of one engine."""
    present = [each for each in given if each.gradient is not None]
    return [list(run) for _, run in groupby(present, lambda each: id(each.ops))]


def _sum_of_squares(given: list[Given]) -> Any:
    """A number of one engine, so that it is read once, not once for each array."""
    if given[0].ops is np:
        return _host_squares(given)
    total: Any = 0.0
    for each in given:
        total = total + each.scale**2 * each.ops.sum(squared(worked(each)))
    return total


def _host_squares(given: list[Given]) -> float:
    runs = groupby(given, lambda each: (each.scale, each.gradient.dtype))
    return sum(scale**2 * _squares(dtype, run) for (scale, dtype), run in runs)


def _squares(dtype: Any, given: Iterable[Given]) -> float:
    """The sum of squares of all elements of NumPy's arrays of a dtype."""
    working = working_dtype(np.empty(0, dtype), np)
    return sum(map(_square, gathered((each.gradient for each in given), working)))


def first_nonfinite(given: list[Given]) -> Given | None:
    """The first gradient with an element that is NaN or infinite.

    >>> fine, bad = (Given(None, "", np, None, np.array([x])) for x in (1.0, np.nan))
    >>> first_nonfinite([fine]) is None, first_nonfinite([fine, bad]) is bad
    (True, True)
    """
    for run in _by_engine(given):
        for each in _suspects(run):
            if not _is_finite(each):
                return each
    return None


def _suspects(given: list[Given]) -> list[Given]:
    """Those that may have such an element, of gradients of one engine; mostly none."""
    if given[0].ops is np:
        return [] if math.isfinite(_host_squares(given)) else given
    zero: Any = 0.0
    for each in given:
        found = each.gradient
        zero = zero + each.ops.sum((abs(found) if is_complex(found.dtype) else found) * 0)
    return [] if float(zero) == 0.0 else given


def _is_finite(each: Given) -> bool:
    if each.ops is np:
        return all(np.isfinite(flat).all() for flat in flat_pieces(each.gradient))
    return bool(each.ops.all(each.ops.isfinite(each.gradient)))


def _square(flat: Any) -> float:
    """The sum of the squares of sizes."""
    library: Any = np  # whose types leave the parts of a number open
    return float(library.vdot(flat, flat).real)
