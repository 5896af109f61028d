"""A function of structures at a point: its value, and its pullback between flat arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from math import prod
from typing import Any, NamedTuple

from optshare.extend import (
    DifferentiationError,
    Overlay,
    Pullback,
    beside,
    current_overlay,
    flat,
    is_array,
    mapped,
)
from optshare_arrays import Auxiliary, Chosen, detacher, ops
from optshare_functional import trace


class Layout:
    """How the arrays that a function returned lie in one: a structure's, one after the other.

    Raises:
        DifferentiationError: it returned no array, or something else.
    """

    def __init__(self, output: Any) -> None:
        self._alone = is_array(output) or isinstance(output, int | float | complex)
        arrays = mapped(_array, output)
        self._form = mapped(lambda leaf: leaf if leaf is None else leaf.dtype, arrays)
        self._leaves = [each for each in flat(arrays) if each is not None]
        if not self._leaves:
            raise DifferentiationError(
                f"the function returned {output!r}, which holds no array; did it forget to return?"
            )
        self.shapes = [tuple(each.shape) for each in self._leaves]
        ends = accumulate((prod(each) for each in self.shapes), initial=0)
        self.ranges = [slice(*each) for each in pairwise(ends)]

    def whole(self) -> Any:
        """All arrays of the output as one; asked for once, it forgets them."""
        leaves, self._leaves = self._leaves, []
        return self._joined(leaves)

    def joined(self, others: Any) -> Any:
        """Arrays in the structure of the output as one; raises unless they fit."""
        pairs = beside(self._form, others)
        given = [ops.asarray(each) for leaf, each in pairs if leaf is not None]
        shapes = [tuple(each.shape) for each in given]
        if shapes != self.shapes:
            wrong, right = (each[0] if self._alone else each for each in (shapes, self.shapes))
            raise DifferentiationError(
                f"the seed has shape {wrong}, the value {right}; they must be equal"
            )
        return self._joined(given)

    def split(self, whole: Any) -> Any:
        """The structure of the output, with the parts of one array for its leaves."""
        if self._alone:
            return whole
        dtypes = [each for each in flat(self._form) if each is not None]
        parts = zip(dtypes, self.shapes, self.ranges, strict=True)
        return self.filled(
            _of_dtype(ops.reshape(whole[at], shape), dtype) for dtype, shape, at in parts
        )

    def filled(self, leaves: Iterable[Any]) -> Any:
        """The structure of the output with other leaves."""
        given = iter(leaves)
        return mapped(lambda leaf: leaf if leaf is None else next(given), self._form)

    def _joined(self, leaves: Sequence[Any]) -> Any:
        if self._alone:
            return leaves[0]
        return ops.concat([ops.reshape(each, (-1,)) for each in leaves])


def _of_dtype(part: Any, dtype: Any) -> Any:
    """A part of one array in a leaf's dtype; it was complex only for the sake of others."""
    return ops.astype(part if dtype.kind == "c" else ops.real(part), dtype)


def _array(leaf: Any) -> Any:
    if leaf is None:
        return None
    if is_array(leaf) or isinstance(leaf, int | float | complex):
        return ops.asarray(leaf)
    raise DifferentiationError(
        f"the function returned a {type(leaf).__name__}, {leaf!r}; return arrays, or dicts, "
        f"lists, tuples and dataclasses of them"
    )


class Linearized(NamedTuple):
    """A function at a point."""

    whole: Any
    """The value as one array."""
    layout: Layout
    pullback: Pullback
    """From a cotangent of the whole to one for each key."""
    inputs: list[Any]
    """The array of each key."""
    beside: Callable[..., Any]
    """Results, with the aux of the function if it has one."""

    @property
    def value(self) -> Any:
        """The value in the structure that the function returned."""
        return self.layout.split(self.whole)

    def pulled(self, cotangent: Any) -> list[Any]:
        """The cotangent of each key, zeros where there is no path."""
        found = zip(self.pullback(cotangent), self.inputs, strict=True)
        return [ops.zeros_like(array) if each is None else each for each, array in found]


def linearized(
    f: Callable[..., Any], chosen: Chosen, kwargs: dict[str, Any], has_aux: bool
) -> Linearized:
    """Call a function inside a differentiation for the keys that were chosen."""
    around = current_overlay()
    inputs = [key.stored if around is None else around.read(key) for key in chosen.keys]
    detach, aux, layouts = detacher(), Auxiliary(has_aux), list[Layout]()

    def inside(*leaves: Any) -> Any:
        with Overlay(detach) as here:
            here.bind(chosen.keys, leaves)
            layouts.append(Layout(aux.taken(f(*chosen.arguments(), **kwargs))))
            return layouts[0].whole()

    whole, pullback = trace.vjp(inside, *inputs)
    beside = partial(aux.beside, detach=detach, inputs=inputs)
    return Linearized(whole, layouts[0], pullback, inputs, beside)
