"""The conformance suite: what must hold on every backend, as checks that a plugin runs.

In a plugin's tests, two lines:

    from optshare.testing import parametrize

    @parametrize("mybackend")
    def test_conformance(check):
        check()

Without pytest: `python -m optshare conformance mybackend`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optshare.testing.check import CHECKS, VERSION, Check, Mismatch
from optshare.testing.report import failure, summary, table
from optshare.testing.subject import Subject
from optshare.testing.suite import LAST, Outcome, Run, checks

__all__ = [
    "CHECKS",
    "VERSION",
    "Check",
    "Mismatch",
    "Outcome",
    "Run",
    "Subject",
    "checks",
    "failure",
    "parametrize",
    "summary",
    "table",
]


def parametrize(backend: str, *, level: int = LAST) -> Callable[[Any], Any]:
    """A pytest mark that calls a test with every check of a backend, up to a level.

    A check that is skipped or blocked skips, with its reason; an expected
    failure is an xfail; a failure reads like a bug report.
    """
    import pytest  # noqa: PLC0415 # only who tests needs it

    run = Run(backend)
    cases = [pytest.param(_Case(run, each), id=each.id) for each in checks(level)]
    return pytest.mark.parametrize("check", cases)


class _Case:
    def __init__(self, run: Run, check: Check) -> None:
        self._run, self._check = run, check

    def __call__(self) -> None:
        import pytest  # noqa: PLC0415 # only who tests needs it

        outcome = self._run.outcome(self._check)
        if outcome.status in ("skipped", "blocked"):
            pytest.skip(outcome.reason)
        if outcome.status == "expected failure":
            pytest.xfail(outcome.reason)
        if outcome.status == "failed":
            pytest.fail(failure(self._run.name, outcome), pytrace=False)

    def __repr__(self) -> str:
        return self._check.id
