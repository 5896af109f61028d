"""Two lines in a plugin's tests, in a real run of pytest."""

import os
import re
import subprocess
import sys

import pytest

from optshare.testing import CHECKS, VERSION, Run, parametrize

CONFORMANCE = """
from optshare.testing import parametrize

@parametrize({arguments})
def test_conformance(check):
    check()
"""


@pytest.fixture
def pytest_run(tmp_path, site):
    """Runs pytest on a file of two lines, beside the strangers of `site`."""

    def run(arguments, *options):
        folder = tmp_path / "plugin"
        folder.mkdir(exist_ok=True)
        paths = [str(site.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        (folder / "test_conformance.py").write_text(CONFORMANCE.format(arguments=arguments))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def counts(ran):
    """How many tests of each outcome, by the last line."""
    last = ran.stdout.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last.split(" in ")[0])}


def test_two_lines_hold_the_tape_to_every_check(pytest_run):
    ran = pytest_run("'tape'")
    assert ran.returncode == 0, ran.stdout
    assert counts(ran) == {"passed": len(CHECKS)}
    for id in CHECKS:
        assert f"PASSED test_conformance.py::test_conformance[{id}]" in ran.stdout


def test_a_level_ends_the_checks_there(pytest_run):
    ran = pytest_run("'tape', level=1")
    assert counts(ran) == {"passed": sum(each.level <= 1 for each in CHECKS.values())}


def test_a_broken_strangers_failure_reads_as_a_bug_report_and_the_blocked_are_skipped(
    pytest_run, install
):
    install("exp has another slope")
    ran = pytest_run("'twisted'")
    blocked = sum(c.level >= 4 or c.after == "gradient.exp" for c in CHECKS.values())
    assert ran.returncode == 1
    assert counts(ran) == {"failed": 1, "passed": len(CHECKS) - blocked - 1, "skipped": blocked}
    _, _, text = ran.stdout.partition("FAILURES")
    report = text.partition("short test summary info")[0]
    for part in (
        "gradient.exp (level 2) fails on 'twisted'",
        f"the protocol: {CHECKS['gradient.exp'].paragraph}",
        "found:        Mismatch: the gradient of argument 0 is wrong",
        "got:          array(",
        "wanted:       array(",
        " ulp",
        "to reproduce:",
        "backend = registry.load('twisted')",
        'print("got", backend.gradient(fn, keys))',
    ):
        assert part in report
    assert "Traceback" not in report
    assert "suite.py" not in report
    assert re.search(rf"SKIPPED \[{blocked}\].*blocked by gradient\.exp", ran.stdout)


def test_a_failure_that_raises_reads_as_a_bug_report_too(pytest_run, install):
    install("exp raises")
    ran = pytest_run("'twisted'")
    assert "found:        ZeroDivisionError: no exponentials today" in ran.stdout
    assert counts(ran)["failed"] == 1


def test_a_nan_reads_as_a_bug_report_too(pytest_run, install):
    install("exp gives NaN")
    ran = pytest_run("'twisted'")
    assert "gradient.exp (level 2) fails on 'twisted'" in ran.stdout
    assert counts(ran)["failed"] == 1


def test_one_check_that_is_selected_is_blocked_by_those_below(pytest_run, install):
    install("exp has another slope")
    ran = pytest_run("'twisted'", "-k", "robust.kept")
    assert ran.returncode == 0
    assert counts(ran) == {"skipped": 1, "deselected": len(CHECKS) - 1}
    assert "blocked by gradient.exp" in ran.stdout


def test_an_expected_failure_is_an_xfail_and_the_undeclared_is_skipped(pytest_run, install):
    from optshare.backend import Capabilities

    install(
        "exp has another slope",
        expected_failures={"gradient.exp": "known, see #1"},
        capabilities=Capabilities(dtypes=("float16", "float32", "float64")),
    )
    ran = pytest_run("'twisted'")
    assert ran.returncode == 0
    after = sum(each.after == "gradient.exp" for each in CHECKS.values())
    complex_ones = sum("complex" in each.needs for each in CHECKS.values())
    skipped = 3 + after + complex_ones  # and vjp.seed
    assert counts(ran) == {"passed": len(CHECKS) - 1 - skipped, "skipped": skipped, "xfailed": 1}
    assert "known, see #1" in ran.stdout
    assert "higher_order is not declared, but it works" in ran.stdout


def test_a_stale_expectation_fails_with_the_words_to_take_it_out(pytest_run, install):
    install(expected_failures={"order.mixed": "known, see #1"})
    ran = pytest_run("'twisted'", "-k", "order.mixed")
    assert ran.returncode == 1
    assert "it passes, but is declared to fail (known, see #1)" in ran.stdout
    assert "take that out of the description" in ran.stdout


def test_an_unknown_backend_fails_naming_the_choices(pytest_run):
    ran = pytest_run("'nope'")
    assert ran.returncode == 1
    assert "no backend is called 'nope'" in ran.stdout
    assert "choices: autograd, functional, jax, tape, torch" in ran.stdout
    assert "passed" not in counts(ran)


def test_an_unknown_backend_is_one_failure(pytest_run):
    ran = pytest_run("'nope'")
    assert counts(ran)["failed"] == 1


def test_a_plugin_for_a_newer_protocol_fails_naming_its_distribution(pytest_run, install):
    install(conformance="2031.1")
    ran = pytest_run("'twisted'")
    assert ran.returncode == 1
    assert "twisted 1.0" in ran.stdout
    assert f"protocol 2031.1, this optshare has {VERSION}" in ran.stdout


def test_a_plugin_of_an_older_suite_skips_what_came_since(pytest_run, install):
    install("exp has another slope", conformance="2025.1")
    ran = pytest_run("'twisted'")
    assert ran.returncode == 0
    assert counts(ran) == {"skipped": len(CHECKS)}
    assert f"version {VERSION} of the suite" in ran.stdout


def test_the_mark_asks_no_backend_before_a_check_is_called(monkeypatch):
    monkeypatch.setattr(Run, "outcome", None)
    mark = parametrize("nope")
    assert mark.name == "parametrize"
    assert [each.id for each in mark.args[1]] == [
        each.id for each in sorted(CHECKS.values(), key=lambda each: each.level)
    ]
    assert repr(mark.args[1][0].values[0]) == mark.args[1][0].id
