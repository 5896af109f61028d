"""`gradcheck`: a function's derivatives against central differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from optshare.building import built
from optshare.differences import EPS, STEP, Estimate, best, estimate
from optshare.errors import GradientError, HyperparameterError
from optshare.holdings import held_by
from optshare.point import Numbers, Point
from optshare.probing import Probed, Terms, drawn
from optshare.selection import Selection

HALF_OF_THE_DIGITS = math.sqrt(EPS)
STEPS = (STEP, STEP * 8, STEP / 8, STEP / 64)
"""The best step for a smooth function, one for much rounding, two beside a kink or a pole."""
UNKNOWN = "not comparable (at a kink or a pole, or near one? float32 inside? noise?)"
ORDINALS = {1: "first", 2: "second", 3: "third"}


def gradcheck(f: Callable[..., Any], *args: Any, order: int = 2) -> None:
    """Check the derivatives of `f(*args)` against central differences, in float64.

    Checked are the floating arguments and every Parameter that f reads, however
    it reaches it: as an attribute, by a closure, as a global. They and Buffers
    read as float64 (complex128) meanwhile, whatever they store; nothing is
    written, and what f writes into Buffers is dropped. Integers, and frozen
    Parameters, are constants. f is called many times and must give the same
    each time; what it draws has to come from a Buffer, as Dropout's masks do.

    Let L = Re sum(conj(v) f), with v random, so that f may give arrays, and
    containers of them. The derivative of L along a random direction d of one
    argument x, <dL/dx, d>, is compared with central differences of L(x + t d):
    the five-point rule, with h = eps^(1/3). Each element of d is between half of
    max(1, |x|) and all of it. The gradient of a complex x is dL/dRe x + i dL/dIm x;
    real and imaginary directions are taken apart. Second derivatives are those
    of <dL, u>, with u a random direction of everything. The directions are the same
    in each call.

    The tolerance is the error of the differences themselves, which
    `optshare.differences.estimate` derives from two step sizes and from the
    noise that it sees. Where it is more than half of float64's digits, other
    steps are taken; where none will do, that is an error too.

    Args:
        f: a function of anything.
        args: its arguments.
        order: up to which derivatives are checked.

    Raises:
        GradientError: a derivative is wrong, or not finite, or cannot be
            compared (a kink, noise, float32 inside); f changes from call to
            call, or writes into its arguments; there is nothing to check, or
            all that was compared is zero. It is an `AssertionError`.
        CapabilityError: the backend does not declare `higher_order` or `complex`.
        HyperparameterError: the order is no positive integer.

    >>> import optshare
    >>> gradcheck(lambda x: x**3, 2.0)
    >>> layer = optshare.Dense(3, 2, optshare.tanh)
    >>> gradcheck(lambda x: layer(x), np.ones((4, 3), np.float32))
    >>> gradcheck(lambda x: optshare.ops.stop_gradient(x) * x, 2.0)
    Traceback (most recent call last):
    optshare.errors.GradientError: the first derivative for argument 0 is wrong: tape gives \
-1.66402, central differences -3.32803 (tolerance 1e-10), along [-1.017]
    """
    if type(order) is not int or order < 1:
        raise HyperparameterError(f"gradcheck: order must be 1, 2, ..., not {order!r}")
    selection = Selection(args, integers=False)
    built([box for _, box in held_by(f)], f, *args)
    rng = np.random.default_rng(0)
    with Point(selection.keys) as point, np.errstate(all="ignore"):  # what is not finite is found
        probed = Probed(f, args, selection, point, rng)
        probed.require(order)
        terms = probed.terms
        for each in range(1, order + 1):
            _Comparison(probed, terms, each, rng).run()
            terms = probed.slopes(terms)


class _Comparison:
    """The derivatives of one order, for every key."""

    def __init__(self, probed: Probed, terms: Terms, order: int, rng: np.random.Generator) -> None:
        self._probed, self._terms, self._rng = probed, terms, rng
        self._what = f"the {ORDINALS.get(order, f'{order}th')} derivative"
        self._is_first = order == 1
        self._center = probed.value(terms)
        self._require_repeatable()
        self._magnitude = probed.magnitude(terms)

    def run(self) -> None:
        """Raise `GradientError` unless all agree, and one of them says something."""
        gradients = self._probed.gradients(self._terms)
        found = [
            self._along(key, gradient, direction)
            for key, gradient in zip(self._probed.keys, gradients, strict=True)
            for direction in _directions(self._rng, self._probed.numbers(key))
        ]
        if self._is_first and not any(abs(each.value) > each.error for each in found):
            raise GradientError(
                "every derivative of f is zero here, so that nothing was compared; does f use "
                "what it is given? If so, check at another point"
            )

    def _require_repeatable(self) -> None:
        again = self._probed.value(self._terms)
        if not math.isfinite(self._center):
            raise GradientError(
                f"f, or a derivative of it, is {self._center} here; check at another point"
            )
        if again != self._center:
            raise GradientError(
                f"f gives another value in a second call ({self._center!r}, then {again!r}); "
                f"draw what is random before, or keep the state in a Buffer, as Dropout does"
            )

    def _along(self, key: Any, gradient: Numbers | None, direction: Numbers) -> Estimate:
        """The derivative along a direction of one key by differences, which agree."""
        parts = np.zeros(()) if gradient is None else np.real(np.conj(gradient) * direction)
        claimed, spread = float(np.sum(parts)), float(np.sum(np.abs(parts)))
        where = f"for {self._probed.name(key)} is"
        if not math.isfinite(claimed):
            raise GradientError(f"{self._what} {where} {claimed} by {self._probed.backend.name}")
        magnitude = self._magnitude + 2 * spread  # x + t d is rounded too
        moved = partial(self._moved, key, direction)
        found: list[Estimate] = []
        for step in STEPS:
            found.append(estimate(moved, self._center, magnitude, step))
            nearest = best(found)
            if nearest is None or nearest.error > HALF_OF_THE_DIGITS * magnitude:
                continue
            if abs(claimed - nearest.value) <= nearest.error:
                return nearest
        claim = "no gradient (None)" if gradient is None else f"{claimed:.6g}"
        shown = best(found) or found[0]
        verdict = "wrong" if shown.error <= HALF_OF_THE_DIGITS * magnitude else UNKNOWN
        raise GradientError(
            f"{self._what} {where} {verdict}: {self._probed.backend.name} gives {claim}, "
            f"central differences {shown.value:.6g} (tolerance {shown.error:.0e}), "
            f"along {_shown(direction)}"
        )

    def _moved(self, key: Any, direction: Numbers, t: float) -> float:
        return self._probed.moved(self._terms, key, t * direction)


def _directions(rng: np.random.Generator, numbers: Numbers) -> Iterator[Numbers]:
    """A random direction or, of complex numbers, a real and an imaginary one."""
    direction = drawn(rng, numbers)
    if numbers.dtype.kind != "c":
        yield direction
    else:
        yield direction.real + 0j
        yield 1j * direction.imag


def _shown(direction: Numbers) -> str:
    return np.array2string(np.ravel(direction), precision=3, threshold=6, edgeitems=3)
