"""What the kit says: a failure as a bug report, a run as text, JSON and a table."""

from __future__ import annotations

import inspect
import textwrap
import traceback
from collections import Counter
from collections.abc import Sequence
from typing import Any

from optshare.testing.check import Mismatch, ulps
from optshare.testing.scenarios import Row, program
from optshare.testing.suite import LAST, Outcome, Run, counted

LONGEST = 300
"""How much of an array a report shows."""


def failure(name: str, outcome: Outcome) -> str:
    """A failed check as a bug report."""
    check, error = outcome.check, outcome.error
    lines = [
        f"{check.id} (level {check.level}) fails on {name!r}",
        f"the protocol: {check.paragraph}",
        f"found:        {outcome.reason}",
    ]
    if isinstance(error, Mismatch) and (error.got is not None or error.wanted is not None):
        lines += [f"got:          {_shown(error.got)}", f"wanted:       {_shown(error.wanted)}"]
        apart = ulps(error.got, error.wanted)
        lines += [] if apart is None else [f"difference:   {apart:.3g} ulp"]
    if error is not None and not isinstance(error, Mismatch):
        last = traceback.extract_tb(error.__traceback__)[-1]
        lines.append(f"raised in:    {last.filename}:{last.lineno}, {last.name}")
    lines += ["to reproduce:", textwrap.indent(_program(name, outcome), "    ")]
    return "\n".join(lines)


def _shown(thing: Any) -> str:
    text = " ".join(repr(thing).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def _program(name: str, outcome: Outcome) -> str:
    """What shows the failure alone: the scenario, or the check's own lines."""
    check, error = outcome.check, outcome.error
    if isinstance(error, Mismatch) and error.program:
        return error.program
    if check.arguments and isinstance(check.arguments[0], Row):
        return program(name, check.arguments[0])
    head = f"from optshare.testing import CHECKS, Subject\nCHECKS[{check.id!r}](Subject({name!r}))"
    source = textwrap.indent(inspect.getsource(check.body).strip(), "# ", lambda line: True)
    return f"{head}\n\n# which is\n{source}"


def summary(name: str, outcomes: Sequence[Outcome]) -> str:
    """One line for each level, then every check that did not pass."""
    lines = [f"conformance of {name!r}"]
    for level in range(LAST + 1):
        found = counted(each for each in outcomes if each.check.level == level)
        if found:
            said = ", ".join(f"{count} {status}" for status, count in sorted(found.items()))
            lines.append(f"  level {level}: {said}")
    for each in outcomes:
        if each.status in ("skipped", "expected failure"):
            lines.append(f"  {each.status}: {each.check.id}: {each.reason}")
    blocked = Counter(each.reason for each in outcomes if each.status == "blocked")
    lines += [f"  {count} checks {reason}" for reason, count in blocked.items()]
    failed = [failure(name, each) for each in outcomes if each.status == "failed"]
    return "\n".join(lines) + "".join(f"\n\n{each}" for each in failed)


def as_json(name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The outcomes as plain data."""
    return {
        "backend": name,
        "checks": [
            {
                "id": each.check.id,
                "level": each.check.level,
                "status": each.status,
                "reason": each.reason,
            }
            for each in outcomes
        ],
    }


def table(runs: Sequence[Run]) -> str:
    """Backend by group of checks, in Markdown: how many passed, skipped, failed as expected."""
    head = ["checks", *(f"`{run.name}`" for run in runs)]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    groups = dict.fromkeys(_group(each) for each in runs[0].outcomes())
    for group in groups:
        cells = [_cell([o for o in run.outcomes() if _group(o) == group]) for run in runs]
        lines.append("| " + " | ".join([f"`{group}`", *cells]) + " |")
    reasons = [
        f"- `{run.name}`, `{each.check.id}`: {each.status}: {each.reason}."
        for run in runs
        for each in run.outcomes()
        if each.status != "passed"
    ]
    return "\n".join([*lines, "", *reasons])


def _group(outcome: Outcome) -> str:
    return outcome.check.id.partition(".")[0]


def _cell(outcomes: Sequence[Outcome]) -> str:
    found = counted(outcomes)
    passed = found.pop("passed", 0)
    return ", ".join([f"{passed}", *(f"{count} {status}" for status, count in found.items())])
