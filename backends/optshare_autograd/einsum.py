"""Einstein's summation; autograd's own has no derivative where a letter repeats in an argument."""

from __future__ import annotations

from typing import Any

from optshare_autograd.library import anp


def einsum(subscripts: str, *arrays: Any) -> Any:
    """The sum of products that subscripts such as `"ij,jk->ik"` describe."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = [_without_repeats(each, x) for each, x in zip(left.split(","), arrays, strict=True)]
    if not arrow:
        output = _implied(left)
    return anp.einsum(f"{','.join(each for each, _ in terms)}->{output}", *(x for _, x in terms))


def _implied(left: str) -> str:
    """The letters that occur once, in order, after the axes of `...`."""
    once = [each for each in sorted(set(left)) if each.isalpha() and left.count(each) == 1]
    return "..." * ("..." in left) + "".join(once)


def _without_repeats(term: str, x: Any) -> tuple[str, Any]:
    """The diagonal of every two axes of one letter, as the last axis."""
    for each in dict.fromkeys(term.replace("...", "")):
        while term.count(each) > 1:
            one, other = term.index(each), term.rindex(each)
            axes = _axis(term, one), _axis(term, other)
            x = anp.diagonal(anp.moveaxis(x, axes, (-2, -1)), axis1=-1, axis2=-2)
            term = term[:one] + term[one + 1 : other] + term[other + 1 :] + each
    return term, x


def _axis(term: str, place: int) -> int:
    """The axis of a letter, counted from the end where it is after `...`."""
    return place - len(term) if "..." in term[:place] else place
