"""Which given array belongs to which Parameter or Buffer, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from optshare.dtypes import dtype_name, host_dtype
from optshare.errors import WeightsError
from optshare.recipes import agrees
from optshare.tree import Named

Arrays = dict[str, np.ndarray[Any, Any]]
MOST_TOLD = 8
"""How many of the things that do not fit an error names."""


class Match(NamedTuple):
    """One Parameter or Buffer, and its new numbers in a dtype that it can hold."""

    key: Any
    array: np.ndarray[Any, Any]


def matched(entries: list[Named], given: Arrays) -> list[Match]:
    """The array of each entry: every one has one, and every array is of one.

    Raises:
        WeightsError: all that is missing, too much, or of another shape or kind.

    >>> from optshare.parameter import Parameter
    >>> w = Named("w", Parameter([1.]), ())
    >>> matched([w], {"w": np.ones(1, np.float32)})
    [Match(key=Parameter(array([1.])), array=array([1.]))]
    >>> matched([w], {"v": np.ones(1)})
    Traceback (most recent call last):
    optshare.errors.WeightsError: the weights do not fit the model, which is unchanged: \
'w' is missing, of shape (1,); 'v' is not in the model
    """
    known = {name for each in entries for name in (each.path, *each.aliases)}
    found = [_matched_one(each, given) for each in entries]
    problems = [each for each in found if isinstance(each, str)]
    problems += [f"{name!r} is not in the model" for name in given if name not in known]
    if problems:
        told = problems[:MOST_TOLD]
        if len(problems) > MOST_TOLD:
            told.append(f"and {len(problems) - MOST_TOLD} more")
        raise WeightsError(
            f"the weights do not fit the model, which is unchanged: {'; '.join(told)}"
        )
    return [each for each in found if isinstance(each, Match)]


def _matched_one(entry: Named, given: Arrays) -> Match | str:
    """The match of one entry, or what is wrong."""
    names = [name for name in (entry.path, *entry.aliases) if name in given]
    for problem in _problems(entry, names, given):
        return problem
    try:
        return Match(entry.key, _cast(given[names[0]], dtype_name(entry.key.dtype)))
    except ValueError as error:
        return f"{names[0]!r} {error}"


def _problems(entry: Named, names: list[str], given: Arrays) -> Iterator[str]:
    if not names:
        yield f"{entry.path!r} is missing, of shape {entry.key.shape}"
    for name in names:
        if not agrees(entry.key.shape, given[name].shape):
            yield f"{name!r} has shape {given[name].shape} there, {entry.key.shape} here"
        if not _equal(given[name], given[names[0]]):
            yield f"{names[0]!r} and {name!r} are one array here, and have other numbers there"


def _equal(one: Any, other: Any) -> bool:
    """Whether two arrays have the same numbers; NaN is NaN."""
    if one is other or np.array_equal(one, other):
        return True
    return one.dtype.kind in "fc" and np.array_equal(one, other, equal_nan=True)


def _cast(array: Any, name: str) -> Any:
    """A copy of the numbers in a dtype; raises `ValueError` if it cannot hold them."""
    try:
        wanted = host_dtype(name)
    except TypeError as error:
        raise ValueError(f"has dtype {name} here, which cannot be loaded") from error
    if not np.can_cast(array.dtype, wanted, "same_kind"):
        raise ValueError(f"has dtype {array.dtype} there, {name} here")
    with np.errstate(all="ignore"):
        cast = array.astype(wanted)
        held = cast == array if wanted.kind in "iu" else np.isfinite(cast) | ~np.isfinite(array)
    if not np.all(held):
        raise ValueError(f"has numbers there that {name} cannot hold")
    return cast
