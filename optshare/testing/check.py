"""A check: one demand of the protocol on a backend, and what it says when it is not met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optshare.hookspecs import PROTOCOL
from optshare.testing.subject import Subject

VERSION = PROTOCOL
"""Of the suite; a plugin pins the one that it was written for."""

Body = Callable[..., None]


class Mismatch(AssertionError):  # noqa: N818 # a finding, not an error of the kit
    """What a check found: what it got, what it wanted, and how far apart they are."""

    def __init__(self, what: str, got: Any, wanted: Any, program: str = "") -> None:
        super().__init__(what)
        self.what, self.got, self.wanted, self.program = what, got, wanted, program


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """One demand.

    Args:
        id: what it is called: `gradient.exp`.
        level: from 0 to 7.
        paragraph: the sentence of the protocol that it enforces.
        body: called with a `Subject` and the arguments; returns, or raises.
        arguments: what one body is called with in several checks.
        needs: the capabilities without which it does not apply.
        dtype: which dtype must be declared for it to apply.
        since: the version of the suite that it came with.
        after: the id of a check without which this one says nothing.
    """

    id: str
    level: int
    paragraph: str
    body: Body
    arguments: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()
    dtype: str = "float64"
    since: str = VERSION
    after: str = ""

    def __call__(self, subject: Subject) -> None:
        """Run it; raises `Mismatch`, or whatever the backend raises."""
        with subject.in_use():
            self.body(subject, *self.arguments)

    def __repr__(self) -> str:
        return f"<Check {self.id}>"


CHECKS: dict[str, Check] = {}
"""Every check by its id, in the order of definition."""


def check(
    id: str,
    level: int,
    paragraph: str,
    *,
    cases: dict[str, tuple[Any, ...]] | None = None,
    needs: tuple[str, ...] = (),
    dtype: str = "float64",
    after: str = "",
) -> Callable[[Body], Body]:
    """Make a function a check or, with `cases`, one for each, after the case of that name."""

    def register(body: Body) -> Body:
        for name, arguments in (cases or {"": ()}).items():
            full = f"{id}.{name}" if name else id
            if full in CHECKS:
                raise ValueError(f"two checks are called {full!r}")
            CHECKS[full] = Check(
                id=full,
                level=level,
                paragraph=paragraph,
                body=body,
                arguments=arguments,
                needs=needs,
                dtype=dtype,
                after=f"{after}.{name}" if f"{after}.{name}" in CHECKS else after,
            )
        return body

    return register


def require(holds: Any, what: str, *, got: Any = None, wanted: Any = None) -> None:
    """Raise `Mismatch` unless something holds."""
    if not holds:
        raise Mismatch(what, got, wanted)


def require_equal(got: Any, wanted: Any, what: str) -> None:
    """Raise `Mismatch` unless two things that are no arrays are equal."""
    require(got == wanted, what, got=got, wanted=wanted)


def require_close(
    got: Any,
    wanted: Any,
    what: str,
    rtol: float = 1e-12,
    program: str = "",
    scale: float | None = None,
) -> None:
    """Raise `Mismatch` unless arrays have one shape and agree, relative to the largest element.

    `scale` is what to compare the difference with instead: the largest of what was
    added up, where the sum may be small beside it.
    """
    if got is None:
        raise Mismatch(f"{what}: absent", got, wanted, program)
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        raise Mismatch(f"{what}: shape {got.shape} instead of {wanted.shape}", got, wanted, program)
    largest = float(np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0.0))
    scale = (largest if scale is None else scale) or 1.0
    with np.errstate(all="ignore"):
        apart = np.abs(got - wanted) > rtol * scale
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    if np.any((apart | ~np.isfinite(got) | ~np.isfinite(wanted)) & ~same):
        raise Mismatch(what, got, wanted, program)


def ulps(got: Any, wanted: Any) -> float | None:
    """The largest difference in units of the last place of the wanted numbers.

    `None` where they are not arrays of floating numbers of one shape, or none of
    them is finite.

    >>> ulps(1.0 + 2**-51, 1.0)
    2.0
    """
    try:
        one, other = np.asarray(got), np.asarray(wanted)
    except (TypeError, ValueError):  # no arrays
        return None
    if one.dtype.kind != "f" or other.dtype.kind != "f" or one.shape != other.shape:
        return None
    with np.errstate(all="ignore"):
        apart = np.abs(one - other) / np.spacing(np.abs(other))
    finite = apart[np.isfinite(apart)]
    return float(finite.max()) if finite.size else None
