"""Running the checks of a backend, level after level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from optshare import registry
from optshare.errors import MissingFunctionError, OptshareError
from optshare.hookspecs import BackendDescription, version
from optshare.plugins import said
from optshare.testing import (
    complex_numbers,
    conventions,
    gradients,
    identity,
    losses,
    manifest,
    models,
    robustness,
    saving,
    trajectories,
    updates,
    weights,
)
from optshare.testing.check import CHECKS, Check
from optshare.testing.manifest import unknown_expectations
from optshare.testing.subject import NotDeclared, Subject

__all__ = ["LAST", "NEEDS", "Outcome", "Run", "checks", "counted", "unknown_expectations"]

MODULES = (
    manifest,
    identity,
    gradients,
    conventions,
    complex_numbers,
    updates,
    trajectories,
    models,
    weights,
    losses,
    saving,
    robustness,
)
"""Where the checks are defined, level after level."""

NEEDS: dict[int, tuple[int, ...]] = {
    0: (), 1: (0,), 2: (1,), 3: (1,), 4: (2, 3), 5: (2,), 6: (4,), 7: (2, 3),
}  # fmt: skip
"""The levels without which one says nothing."""

LAST = max(NEEDS)
FIRST = "manifest.loads"
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
            blocker = self._blocker(check.level) or self._before(check)
            self._outcomes[check.id] = (
                Outcome(check, "blocked", f"blocked by {blocker.id}")
                if blocker is not None
                else self._ran(check)
            )
        return self._outcomes[check.id]

    def _before(self, check: Check) -> Check | None:
        """The check after which this one comes, if it failed, expected or not."""
        before = CHECKS.get(check.after)
        if before is None:
            return None
        expected = self.outcome(before).status == "expected failure"
        return before if expected or self._hinders(before) else None

    def _blocker(self, level: int) -> Check | None:
        """The first failed check of a level that this one needs."""
        if level not in self._blocking:
            below = [each for each in checks(level) if each.level in NEEDS[level]]
            hindered = (each for each in below if self._hinders(each))
            deeper = (self._blocker(each) for each in NEEDS[level])
            self._blocking[level] = next(hindered, next((b for b in deeper if b), None))
        return self._blocking[level]

    def _hinders(self, check: Check) -> bool:
        """Whether a check failed; one that passes against its expectation hinders nothing."""
        outcome = self.outcome(check)
        return outcome.status == "failed" and outcome.error is not None

    def _ran(self, check: Check) -> Outcome:
        try:
            subject = self._loaded()
        except OptshareError as error:
            if check.id != FIRST:
                return Outcome(check, "blocked", f"blocked by {FIRST}")
            return Outcome(check, "failed", str(error), error)
        found = self._tried(check, subject)
        missing = _undeclared(check, subject)
        if missing:
            note = ", but it works" if found.status == "passed" else ""
            return Outcome(check, "skipped", f"{missing}{note}")
        return self._as_expected(found)

    def _loaded(self) -> Subject:
        if self._subject is None:
            self._subject = Subject(self.name)
        return self._subject

    @staticmethod
    def _tried(check: Check, subject: Subject) -> Outcome:
        try:
            check(subject)
        except (NotDeclared, MissingFunctionError) as absent:
            return Outcome(check, "skipped", str(absent))
        except (Exception, SystemExit) as error:  # whatever a stranger's backend raises
            return Outcome(check, "failed", said(error), error)
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
    """Why a check does not apply to a backend, by what it declares."""
    pinned = registry.descriptions()[subject.name].conformance
    if version(check.since) > version(pinned):
        return f"it came with version {check.since} of the suite, and the plugin pins {pinned}"
    if check.dtype and check.dtype not in subject.capabilities.dtypes:
        return f"{check.dtype} is not declared"
    lacking = [each for each in check.needs if not getattr(subject.capabilities, each)]
    return f"{lacking[0]} is not declared" if lacking else ""


def counted(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many checks there are of each status."""
    found: dict[str, Any] = {}
    for each in outcomes:
        found[each.status] = found.get(each.status, 0) + 1
    return found
