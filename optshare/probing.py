"""A function of users as one that can be checked: a scalar, at a point, of all that it reads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import numpy as np

from optshare import registry
from optshare.backend import seam_of
from optshare.differentiate import backend_for
from optshare.errors import CapabilityError, GradientError
from optshare.holdings import held_by, refuse_native
from optshare.parameter import Box, Parameter, is_array, is_floating
from optshare.point import Numbers, Point, Unplaced, placed
from optshare.selection import Selection
from optshare.structure import flat
from optshare.tree import leaves

Terms = Callable[[], list[Any]]
"""What is summed to the scalar that is differentiated."""
MOST_READ = 1000
"""Boxes that are found one by one, by calling the function again."""


class Probed:
    """A function, its arguments, and the Parameters that it read in one call.

    Args:
        f: the function.
        args: its arguments.
        selection: what to differentiate for among them.
        point: what everything reads as; entered already.
        rng: of the directions.

    Raises:
        GradientError: it gives no floating numbers, narrows them, changes its
            arguments, or there is nothing to differentiate for.
        CapabilityError: it has parameters that cannot be read in float64.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        selection: Selection,
        point: Point,
        rng: np.random.Generator,
    ) -> None:
        self._f, self._args, self._selection = f, args, selection
        self._point, self._rng = point, rng
        held = held_by(f)
        for _, box in held:
            if not box.transient:
                point.place(box)
        arguments = [(f"argument {path}", key) for path, key in selection.paths()]
        refuse_native(held, arguments)
        self._names = {id(box): name for name, box in reversed([*held, *arguments])}
        self.keys = list(selection.keys)
        self.backend = backend_for([*self.keys, *(box for _, box in held if not box.frozen)], args)
        self._cotangents: list[Numbers] = []
        self._discover()

    def _discover(self) -> None:
        """Find what it gives and what it reads, by calling it once."""
        before = _snapshots(self._args)
        found: list[Any] = []

        def call() -> Any:
            found[:] = [(tuple(each.shape), str(each.dtype)) for each in self._outputs()]
            return self.backend.ops.asarray(np.zeros(()))

        self._placing(call)
        self._require_unwritten(before)
        self._cotangents = [
            drawn(self._rng, np.ones(shape, complex if "complex" in dtype else float))
            for shape, dtype in found
        ]
        self.keys += self._unchecked()
        if not self.keys:
            raise GradientError(_nothing_to_check(self._point))
        self.backend = backend_for(self.keys, self._args)

    def _placing(self, call: Callable[[], Any]) -> None:
        """Call it until all that it reads is at the point."""
        for _ in range(MOST_READ):
            try:
                self.backend.gradient(call, [])
            except Unplaced as unread:
                self._point.place(unread.box)
            else:
                return
        raise GradientError(
            f"f reads more than {MOST_READ} Parameters or Buffers that it does not hold; does it "
            f"make new ones in each call? Make them outside"
        )

    def require(self, order: int) -> None:
        """Raise `CapabilityError` for what the backend does not declare and the check needs."""
        declared = registry.capabilities(self.backend.name)
        if order > 1 and not declared.higher_order:
            raise CapabilityError(
                f"backend {self.backend.name!r} does not declare 'higher_order', so only first "
                f"derivatives can be checked; call gradcheck(..., order=1)"
            )
        complexes = [*self._cotangents, *(self.numbers(key) for key in self.keys)]
        if any(each.dtype.kind == "c" for each in complexes) and not declared.complex:
            raise CapabilityError(
                f"backend {self.backend.name!r} does not declare 'complex', so derivatives of "
                f"complex numbers cannot be checked; pass real and imaginary parts"
            )

    def name(self, key: Any) -> str:
        """What to call a key in a message."""
        kind = type(key).__name__
        return self._names.get(id(key), f"a {kind} of shape {key.shape} that f reads")

    def numbers(self, key: Any) -> Numbers:
        """The numbers at the point."""
        return self._point.numbers(key)

    def terms(self) -> list[Any]:
        """What the function gives, times random cotangents."""
        pairs = zip_longest(self._outputs(), self._cotangents)
        return [self._weighted(output, cotangent) for output, cotangent in pairs]

    def _weighted(self, output: Any, cotangent: Any) -> Any:
        shapes = [tuple(getattr(each, "shape", ())) for each in (output, cotangent)]
        if output is None or cotangent is None or shapes[0] != shapes[1]:
            raise GradientError(
                f"f gives arrays of other shapes from call to call ({shapes[1]}, then "
                f"{shapes[0]}); it must be a function of its arguments alone"
            )
        return output * self._placed(np.conj(cotangent))

    def slopes(self, terms: Terms) -> Terms:
        """The derivative along a random direction, as terms: for the next order."""
        direction = [drawn(self._rng, self.numbers(key)) for key in self.keys]

        def along() -> list[Any]:
            _, gradients = self._differentiated(lambda: self._total(terms()))
            pairs = zip(gradients, direction, strict=True)
            return [g * self._placed(np.conj(each)) for g, each in pairs if g is not None]

        return along

    def value(self, terms: Terms) -> float:
        """The scalar at the point."""
        return self._evaluated(terms, self._total)

    def magnitude(self, terms: Terms) -> float:
        """The sum of the absolute terms."""
        ops: Any = self.backend.ops
        return self._evaluated(terms, lambda found: self._total(list(map(ops.abs, found))))

    def moved(self, terms: Terms, key: Any, offset: Numbers) -> float:
        """The scalar with one key moved away from the point."""
        with self._point.moved(key, offset):
            return self.value(terms)

    def gradients(self, terms: Terms) -> list[Numbers | None]:
        """The gradients of the scalar, in NumPy's memory, `None` where absent."""
        _, found = self._differentiated(lambda: self._total(terms()))
        hosts = [None if each is None else self._host(each) for each in found]
        for key, each in zip(self.keys, hosts, strict=True):
            if each is not None and each.shape != key.shape:
                raise GradientError(
                    f"the gradient for {self.name(key)} has shape {each.shape}; "
                    f"what it is the gradient of has {key.shape}"
                )
        return hosts

    def _evaluated(self, terms: Terms, reduced: Callable[[list[Any]], Any]) -> float:
        """A number made of the terms; f itself is called as where it is differentiated."""
        is_own = terms == self.terms
        value = self._differentiated(lambda: reduced(terms()))[0] if is_own else reduced(terms())
        return float(np.real(self._host(value)))

    def _differentiated(self, call: Callable[[], Any]) -> tuple[Any, list[Any]]:
        try:
            result = self.backend.gradient(call, self.keys)
        except Unplaced as unread:
            raise self._of_another(unread.box) from None
        self._point.require_unwritten(self._names)
        for box in self._unchecked():
            raise self._of_another(box)
        return result

    def _of_another(self, box: Any) -> GradientError:
        return GradientError(
            f"{self.name(box)} was read in a later call and not in the first, so it was not "
            f"checked; f must read the same Parameters in each call"
        )

    def _host(self, array: Any) -> Numbers:
        return seam_of(self.backend).host_copy(array)

    def _total(self, terms: list[Any]) -> Any:
        ops: Any = self.backend.ops
        total = self._placed(np.zeros(()))
        for each in terms:
            whole = ops.sum(each)
            total = total + (ops.real(whole) if "complex" in str(whole.dtype) else whole)
        return total

    def _placed(self, numbers: Any) -> Any:
        return placed(numbers, self.keys[0].stored)

    def _outputs(self) -> list[Any]:
        value = self._f(*self._selection.arguments())
        found = [each for each in map(_plain, flat(value)) if is_floating(each)]
        if not found:
            hint = "; did it forget to return?" if value is None else ""
            raise GradientError(
                f"f returned a {type(value).__name__} without floating numbers, so there is "
                f"nothing to differentiate{hint}"
            )
        for each in found:
            if not str(each.dtype).endswith(("float64", "complex128")):
                raise GradientError(
                    f"f returned {each.dtype}, though all that it reads is float64 here; "
                    f"something in it narrows, such as an array it captured: make that float64"
                )
        return found

    def _unchecked(self) -> list[Parameter]:
        known = set(map(id, self.keys))
        return [box for box in self._point.seen if not box.frozen and id(box) not in known]

    def _require_unwritten(self, before: list[tuple[str, Any, bytes]]) -> None:
        self._point.require_unwritten(self._names)
        for path, array, content in before:
            if _content(array) != content:
                raise GradientError(
                    f"f changes argument {path} in place; compute a new array instead"
                )


def drawn(rng: np.random.Generator, numbers: Numbers) -> Numbers:
    """A random direction: no element is near 0, and each is in proportion to its number.

    >>> drawn(np.random.default_rng(0), np.array([0.0, 100.0])).round(1)
    array([ -0.8, -63.5])
    """
    size = np.maximum(1.0, np.abs(numbers))
    real, imaginary = (_signed(rng, numbers.shape) for _ in "ri")
    return np.asarray((real + 1j * imaginary if numbers.dtype.kind == "c" else real) * size)


def _signed(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return np.asarray(rng.uniform(0.5, 1.0, shape) * rng.choice([-1.0, 1.0], shape))


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, Box):
        return leaf.value
    return np.asarray(leaf) if isinstance(leaf, float | complex) else leaf


def _snapshots(args: tuple[Any, ...]) -> list[tuple[str, Any, bytes]]:
    """The arrays among arguments that are constants, with what they hold."""
    arrays = [(path, each) for path, each in leaves(args) if not isinstance(each, Parameter)]
    return [
        (path, each, _content(each))
        for path, each in arrays
        if is_array(each) and not is_floating(each)
    ]


def _content(array: Any) -> bytes:
    return registry.host_copy(array).tobytes()


def _nothing_to_check(point: Point) -> str:
    if point.seen:
        return "all the Parameters that f reads are frozen, so nothing can be checked; thaw one"
    return (
        "f has no floating arguments and reads no Parameters, so there is nothing to check; "
        "integers are constants: give floats, such as 3.0"
    )
