"""Einstein's summation: products of arrays whose axes are named by letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from optshare.extend import lettered_subscripts, parsed_subscripts
from optshare_arrays.broadcasting import broadcast
from optshare_arrays.devices import beside
from optshare_arrays.diagonals import diagonal
from optshare_arrays.primitives import Variadic, stands_for
from optshare_arrays.shaping import as_array, expand_dims
from optshare_arrays.untyped import np


def _forward(*arrays: Any, inputs: Sequence[str], output: str) -> Any:
    return np.einsum(f"{','.join(inputs)}->{output}", *arrays, optimize=len(arrays) > 1)


def _pull(place: int, g: Any, y: Any, *arrays: Any, inputs: Sequence[str], output: str) -> Any:
    """The same sum with the cotangent in the argument's place, and its letters as the result's."""
    x, wanted = arrays[place], inputs[place]
    others = [(letters, each) for i, (letters, each) in _numbered(inputs, arrays) if i != place]
    known = output + "".join(letters for letters, _ in others)
    found = "".join(each for each in wanted if each in known)
    terms = (output, *(letters for letters, _ in others))
    product = _einsum(g, *(each for _, each in others), inputs=terms, output=found)
    return _spread(product, found, x, wanted)


def _numbered(inputs: Sequence[str], arrays: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    return enumerate(zip(inputs, arrays, strict=True))


def _spread(product: Any, found: str, x: Any, wanted: str) -> Any:
    """Repeat along the axes of x that were summed, or met none but axes of 1."""
    summed = [axis for axis, each in enumerate(wanted) if each not in found]
    whole = expand_dims(product, summed) if summed else product
    sizes = zip(whole.shape, x.shape, strict=True)
    shape = tuple(mine if size == 1 else size for size, mine in sizes)
    return whole if shape == whole.shape else broadcast(whole, shape)


_einsum = Variadic(_forward, [_pull], name="einsum")


@stands_for(np.einsum)
def einsum(subscripts: Any, *operands: Any, optimize: Any = True) -> Any:
    """The sum of products that subscripts such as `"ij,jk->ik"` describe.

    A letter that repeats within one argument takes its diagonal; a letter that
    the result lacks is summed; `...` stands for axes that broadcast. NumPy's
    other form, `einsum(x, [0, 1], y, [1, 2], [0, 2])`, is understood too.

    Raises:
        ValueError: the subscripts do not fit the arrays.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = lettered_subscripts((subscripts, *operands))
    arrays = [as_array(each) for each in operands]
    dtype = np.result_type(*(getattr(each, "dtype", each) for each in arrays))
    arrays = [
        each if hasattr(each, "ndim") else beside(np.asarray(each, dtype), *arrays)
        for each in arrays
    ]
    inputs, output = parsed_subscripts(subscripts, [each.ndim for each in arrays])
    terms = [_without_repeats(x, letters) for letters, x in zip(inputs, arrays, strict=True)]
    return _einsum(*(x for x, _ in terms), inputs=tuple(each for _, each in terms), output=output)


def _without_repeats(x: Any, letters: str) -> tuple[Any, str]:
    """The diagonal of every two axes of one letter, and the letters that are left."""
    for each in dict.fromkeys(letters):
        while letters.count(each) > 1:
            one = letters.index(each)
            other = letters.index(each, one + 1)
            if x.shape[one] != x.shape[other]:
                raise ValueError(f"{each!r} names axes of {x.shape[one]} and {x.shape[other]}")
            x = diagonal(x, 0, one, other)
            letters = letters[:one] + letters[one + 1 : other] + letters[other + 1 :] + each
    return x, letters
