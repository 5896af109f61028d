"""Running the checks of a backend, level after level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from optshare import registry
from optshare.errors import OptshareError
from optshare.hookspecs import BackendDescription
from optshare.testing import (
    gradients,
    identity,
    manifest,
    models,
    robustness,
    saving,
    trajectories,
    updates,
)
from optshare.testing.check import CHECKS, Check
from optshare.testing.subject import NotDeclared, Subject

MODULES = manifest, identity, gradients, updates, trajectories, models, saving, robustness
"""Where the checks are defined, one module for each level."""

NEEDS: dict[int, tuple[int, ...]] = {
    0: (), 1: (0,), 2: (1,), 3: (1,), 4: (2, 3), 5: (2,), 6: (4,), 7: (2, 3),
}  # fmt: skip
"""The levels without which one says nothing."""

LAST = max(NEEDS)
Status = Literal["passed", "failed", "skipped", "blocked", "expected failure"]


@dataclass(frozen=True)
class Outcome:
    """What became of one check."""

    check: Check
    status: Status
    reason: str = ""
    error: BaseException | None = None


def checks(level: int = LAST) -> list[Check]:
    """The checks of the levels up to one, in order."""
    return sorted((each for each in CHECKS.values() if each.level <= level), key=lambda c: c.level)


class Run:
    """The checks of one backend, each run once, when it is first asked for.

    >>> Run("tape").outcome(CHECKS["gradient.exp"]).status
    'passed'
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._outcomes: dict[str, Outcome] = {}
        self._blocking: dict[int, Check | None] = {}
        self._subject: Subject | None = None

    def outcomes(self, level: int = LAST) -> list[Outcome]:
        """What became of every check up to a level."""
        return [self.outcome(each) for each in checks(level)]

    def outcome(self, check: Check) -> Outcome:
        """What becomes of a check, after those of the levels that it needs."""
        if check.id not in self._outcomes:
            blocker = self._blocker(check.level)
            self._outcomes[check.id] = (
                Outcome(check, "blocked", f"blocked by {blocker.id}")
                if blocker is not None
                else self._ran(check)
            )
        return self._outcomes[check.id]

    def _blocker(self, level: int) -> Check | None:
        """The first failed check of a level that this one needs."""
        if level not in self._blocking:
            below = [each for each in checks(level) if each.level in NEEDS[level]]
            hindered = (each for each in below if self.outcome(each).status == "failed")
            deeper = (self._blocker(each) for each in NEEDS[level])
            self._blocking[level] = next(hindered, next((b for b in deeper if b), None))
        return self._blocking[level]

    def _ran(self, check: Check) -> Outcome:
        try:
            subject = self._loaded()
        except OptshareError as error:
            return Outcome(check, "failed", str(error), error)
        found = self._tried(check, subject)
        missing = _undeclared(check, subject)
        if missing:
            note = ", but it works" if found.status == "passed" else ""
            return Outcome(check, "skipped", f"{missing} is not declared{note}")
        return self._as_expected(found)

    def _loaded(self) -> Subject:
        if self._subject is None:
            self._subject = Subject(self.name)
        return self._subject

    @staticmethod
    def _tried(check: Check, subject: Subject) -> Outcome:
        try:
            check(subject)
        except NotDeclared as absent:
            return Outcome(check, "skipped", str(absent))
        except Exception as error:  # whatever a stranger's backend raises
            return Outcome(check, "failed", f"{type(error).__name__}: {error}", error)
        return Outcome(check, "passed")

    def _as_expected(self, found: Outcome) -> Outcome:
        reason = self._description().expected_failures.get(found.check.id)
        if reason is None or found.status not in ("passed", "failed"):
            return found
        if found.status == "failed":
            return Outcome(found.check, "expected failure", reason, found.error)
        said = f"it passes, but is declared to fail ({reason}); take that out of the description"
        return Outcome(found.check, "failed", said)

    def _description(self) -> BackendDescription:
        return registry.descriptions()[self.name]


def _undeclared(check: Check, subject: Subject) -> str:
    """What a check needs that the backend does not declare."""
    if check.since > registry.descriptions()[subject.name].conformance:
        return f"version {check.since} of the suite"
    if check.dtype and check.dtype not in subject.capabilities.dtypes:
        return check.dtype
    lacking = (each for each in check.needs if not getattr(subject.capabilities, each))
    return next(lacking, "")


def unknown_expectations(name: str) -> list[str]:
    """The ids among a backend's expected failures that are no checks."""
    return [each for each in registry.descriptions()[name].expected_failures if each not in CHECKS]


def counted(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many checks there are of each status."""
    found: dict[str, Any] = {}
    for each in outcomes:
        found[each.status] = found.get(each.status, 0) + 1
    return found
