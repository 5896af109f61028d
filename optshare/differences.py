"""Derivatives by central differences, with what they are worth: the mathematics, over floats."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

EPS = sys.float_info.epsilon
STEP = EPS ** (1 / 3)
"""Where a central difference's error of h^2 f'''/6 is as small as its rounding, eps f / h."""
PLACES = (-2, -1, 1, 2)
"""Where the five-point rule asks for a function, in steps."""


class Estimate(NamedTuple):
    """A derivative by differences, and what is known about its error."""

    value: float
    step: float
    truncation: float
    """How far it may be off because the step is not 0."""
    noise: float
    """How far a sample may be off: one standard deviation."""

    @property
    def error(self) -> float:
        """How far it may be off: the truncation, and four standard deviations of the rounding."""
        return self.truncation + 4 * self.noise / self.step


def five_point(samples: Sequence[float], step: float) -> float:
    """f'(0) from the samples f(-2h), f(-h), f(h), f(2h); its error is h^4 f'''''/30.

    It is Richardson's extrapolation of the central differences of h and of 2h.

    >>> round(five_point([t**4 + t for t in (-0.2, -0.1, 0.1, 0.2)], 0.1), 12)
    1.0
    """
    narrow, wide = _central(samples, step)
    return narrow + (narrow - wide) / 3


def _central(samples: Sequence[float], step: float) -> tuple[float, float]:
    """The central differences of h and of 2h."""
    far_left, left, right, far_right = samples
    return (right - left) / (2 * step), (far_right - far_left) / (4 * step)


def estimate(f: Callable[[float], float], center: float, magnitude: float, step: float) -> Estimate:
    """f'(0) by the five-point rule, and its error, which is derived from f itself.

    *Truncation*: the extrapolation moved the central difference by h^2 f'''/6 in
    the first order, and what is left is smaller than that. *Noise*: the fourth
    difference of five samples holds nothing of a smooth f but rounding, of
    standard deviation sqrt(70) times that of one sample; one sample is never
    taken to be better than eps times its terms. The rule's standard deviation is
    0.95 of a sample's, divided by h. A kink at 0 is noise by this measure, and the
    error is of its size.

    Args:
        f: a function of a float, which may be of any noise.
        center: f(0).
        magnitude: the sum of the absolute terms of which f(0) is the sum.
        step: h.

    >>> import math
    >>> found = estimate(math.exp, 1.0, 1.0, STEP)
    >>> abs(found.value - 1.0) < found.error < 1e-9
    True
    """
    samples = [f(place * step) for place in PLACES]
    far_left, left, right, far_right = samples
    narrow, _ = _central(samples, step)
    value = five_point(samples, step)
    fourth = far_left - 4 * left + 6 * center - 4 * right + far_right
    noise = max(abs(fourth) / math.sqrt(70), EPS * magnitude)
    return Estimate(value, step, abs(value - narrow), noise)


def best(found: Sequence[Estimate]) -> Estimate | None:
    """The estimate of the least error; `None` if none is finite.

    One fourth difference may be small by chance. Noise does not depend on the
    step, while what kinks add grows with it; so each estimate has at least the
    noise of those with smaller steps.
    """
    finite = [each for each in found if math.isfinite(each.error)]
    pooled = [
        each._replace(noise=max(other.noise for other in finite if other.step <= each.step))
        for each in finite
    ]
    return min(pooled, key=lambda each: each.error, default=None)
