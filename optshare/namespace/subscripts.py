"""The letters by which Einstein's summation names axes: what they mean, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any


def parsed_subscripts(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each array and of the result, with letters in the place of `...`.

    Args:
        subscripts: as `"ij,jk->ik"`.
        ndims: how many axes each array has.

    Raises:
        ValueError: they do not fit.

    >>> parsed_subscripts("...ij,jk", [3, 2])
    (['aij', 'jk'], 'aik')
    """
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"{subscripts!r} describes {len(terms)} arrays, {len(ndims)} were given")
    free = [each for each in ascii_letters if each not in subscripts]
    counts = [_broadcast_axes(term, n) for term, n in zip(terms, ndims, strict=True)]
    dots = "".join(free[: max(counts)])
    named = [
        term.replace("...", dots[len(dots) - n :]) for term, n in zip(terms, counts, strict=True)
    ]
    if not arrow:
        once = (each for each in sorted(set(left)) if each.isalpha() and left.count(each) == 1)
        return named, dots + "".join(once)
    if dots and "..." not in output:
        raise ValueError(f"{subscripts!r} leaves ... out of the result; write ->...{output}")
    result = output.replace("...", dots)
    if len(set(result)) < len(result) or not set(result) <= set("".join(named)):
        raise ValueError(f"the letters after -> of {subscripts!r} must be different ones before it")
    return named, result


def _broadcast_axes(term: str, ndim: int) -> int:
    """How many axes `...` stands for; raises unless the letters fit the array."""
    letters = term.replace("...", "", 1)
    if not all(each in ascii_letters for each in letters):
        raise ValueError(f"{term!r} has something else than letters and one ...")
    count = ndim - len(letters)
    if count < 0 or (count and "..." not in term):
        raise ValueError(f"{term!r} names {len(letters)} axes of an array of {ndim}")
    return count


def lettered_subscripts(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Subscripts as text, from NumPy's form with lists of numbers; and the arrays.

    >>> lettered_subscripts(("x", [0, 1], "y", [1], [0]))
    ('ab,b->a', ('x', 'y'))
    """

    def text(places: Sequence[Any]) -> str:
        return "".join("..." if each is Ellipsis else ascii_letters[each] for each in places)

    pairs = len(given) // 2
    subscripts = ",".join(text(given[2 * i + 1]) for i in range(pairs))
    arrow = f"->{text(given[-1])}" if len(given) % 2 else ""
    return subscripts + arrow, tuple(given[2 * i] for i in range(pairs))
