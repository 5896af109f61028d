"""Levels and what they need, what is declared and expected, versions, and the command."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from optshare import registry
from optshare.__main__ import main
from optshare.backend import Capabilities
from optshare.errors import UnavailableBackendError, UnknownBackendError
from optshare.testing import CHECKS, LAST, VERSION, Check, Mismatch, Run, Subject, checks
from optshare.testing.suite import MODULES, NEEDS, counted, unknown_expectations

BLOCKED = {
    0: {1, 2, 3, 4, 5, 6, 7},
    1: {2, 3, 4, 5, 6, 7},
    2: {4, 5, 6, 7},
    3: {4, 6, 7},
    4: {6},
    5: set(),
    6: set(),
    7: set(),
}  # fmt: skip
"""By the level of a failure, the levels about which it leaves nothing to say."""


def fails(subject):
    raise Mismatch("broken on purpose", 1.0, 2.0)


def passes(subject):
    pass


@pytest.fixture
def add(monkeypatch):
    """One more check, for this test."""

    def add(id, level, body=fails, **more):
        found = Check(id=id, level=level, paragraph="Made for a test.", body=body, **more)
        monkeypatch.setitem(CHECKS, id, found)
        return found

    return add


def by_level(outcomes):
    found = {}
    for each in outcomes:
        found.setdefault(each.check.level, []).append(each)
    return found


def of_status(outcomes, status):
    return {each.check.id: each.reason for each in outcomes if each.status == status}


# -- the checks -----------------------------------------------------------------------------


def test_every_check_has_an_id_a_level_and_a_paragraph():
    for id, each in CHECKS.items():
        assert each.id == id
        assert each.level in range(LAST + 1)
        assert each.paragraph.endswith(".")
        assert callable(each.body)
        assert each.since <= VERSION


def test_there_are_checks_on_every_level_and_each_module_holds_one_level():
    assert {each.level for each in CHECKS.values()} == set(range(LAST + 1)) == set(NEEDS)
    levels = []
    for module in MODULES:
        bodies = [each for each in CHECKS.values() if each.body.__module__ == module.__name__]
        (level,) = {each.level for each in bodies}
        levels.append(level)
    assert levels == sorted(levels)


def test_checks_come_level_by_level_up_to_the_one_that_is_asked_for():
    for level in range(LAST + 1):
        levels = [each.level for each in checks(level)]
        assert levels == sorted(levels)
        assert set(levels) == set(range(level + 1))
    assert len(checks()) == len(CHECKS)


def test_what_a_check_needs_are_capabilities_and_dtypes_that_exist():
    for each in CHECKS.values():
        assert all(hasattr(Capabilities(), need) for need in each.needs)
        assert each.dtype in ("", "float16", "float32", "float64", "complex64", "complex128")


def test_two_checks_of_one_id_are_refused():
    from optshare.testing.check import check

    with pytest.raises(ValueError, match=r"two checks are called 'gradient\.exp'"):
        check("gradient.exp", 2, "Twice.")(passes)


# -- levels ---------------------------------------------------------------------------------


def test_the_tape_and_its_double_pass_every_check(stranger):
    for name in ("tape", stranger()):
        assert of_status(Run(name).outcomes(), "failed") == {}
        assert counted(Run(name).outcomes()) == {"passed": len(CHECKS)}


@pytest.mark.parametrize("level", BLOCKED)
def test_a_failure_blocks_the_levels_that_need_its_own_and_no_others(add, level):
    add("broken.here", level)
    outcomes = Run("tape").outcomes()
    assert of_status(outcomes, "failed") == {"broken.here": "Mismatch: broken on purpose"}
    for at, found in by_level(outcomes).items():
        if at in BLOCKED[level]:
            assert {each.status for each in found} == {"blocked"}
            assert {each.reason for each in found} == {"blocked by broken.here"}
        else:
            others = [each.status for each in found if each.check.id != "broken.here"]
            assert set(others) == {"passed"}


@pytest.mark.parametrize("level", BLOCKED)
def test_a_check_that_is_asked_for_alone_is_blocked_just_so(add, level):
    add("broken.here", level)
    last = {each.level: each for each in checks() if each.id != "broken.here"}
    for at, check in last.items():
        blocked = Run("tape").outcome(check).status == "blocked"
        assert blocked == (at in BLOCKED[level])


def test_the_first_failure_below_is_the_one_that_blocks(add):
    add("broken.second", 2)
    add("broken.third", 3)
    run = Run("tape")
    run.outcomes()
    reasons = {each.check.level: each.reason for each in run.outcomes()}
    assert reasons[5] == reasons[4] == reasons[7] == "blocked by broken.second"
    add("broken.zeroth", 0)
    assert Run("tape").outcome(CHECKS["robust.kept"]).reason == "blocked by broken.zeroth"


@pytest.mark.parametrize("status", ["skipped", "expected failure"])
def test_what_is_skipped_or_expected_blocks_nothing(stranger, add, status):
    needs = ("jit",) if status == "skipped" else ()
    expected = {} if needs else {"broken.here": "known"}
    add("broken.here", 0, needs=needs)
    found = counted(Run(stranger(expected_failures=expected)).outcomes())
    assert found == {"passed": len(CHECKS) - 1, status: 1}


@pytest.mark.parametrize(
    ("twist", "id"),
    [
        ("another name", "manifest.name"),
        ("exp has another slope", "gradient.exp"),
        ("exp has another value", "gradient.exp"),
        ("exp has no gradient", "gradient.exp"),
        ("exp gives NaN", "gradient.exp"),
        ("exp raises", "gradient.exp"),
        ("exp has a slope that is off by 1e-10", "gradient.exp"),
        ("the gradient of flip is not flipped", "gradient.flip"),
        ("the gradient of softmax is zero", "gradient.nn.softmax"),
        ("update takes any shape", "update.shape"),
        ("parameters out of nothing", "params.none"),
        ("no gradient within a gradient", ""),
    ],
)
def test_one_bug_reads_as_one_bug(stranger, twist, id):
    outcomes = Run(stranger(twist)).outcomes()
    failed = of_status(outcomes, "failed")
    if not id:
        assert set(failed) == {"order.second", "order.mixed", "complex.second"}
        return
    assert list(failed) == [id]
    assert set(of_status(outcomes, "blocked").values()) <= {f"blocked by {id}"}
    blocked = [each.check for each in outcomes if each.status == "blocked"]
    assert {each.level for each in blocked if each.after != id} == BLOCKED[CHECKS[id].level]


@pytest.mark.parametrize("engine", ["import no_such_framework", "raise OSError('wrong ELF class')"])
def test_a_backend_that_does_not_load_reads_as_one_bug(door, site, engine):
    site.backend("heavy", engine=engine)
    outcomes = Run("heavy").outcomes()
    failed = of_status(outcomes, "failed")
    assert all("heavy 1.0" in reason for reason in failed.values())
    assert len(failed) == 1
    assert len(of_status(outcomes, "blocked")) == len(CHECKS) - 1


def test_a_function_that_is_not_there_is_skipped_not_failed(stranger, monkeypatch):
    name = stranger()
    ops = registry.load(name).ops
    monkeypatch.setattr(type(ops), "__getattr__", without("acosh", "min"))
    outcomes = Run(name).outcomes()
    assert of_status(outcomes, "failed") == {}
    assert of_status(outcomes, "skipped") == {
        f"{group}.{name}": f"ops has no {name}"
        for group in ("gradient", "gradient.inputs", "dtype.functions")
        for name in ("acosh", "min")
    } | {"kink.min": "ops has no min"}


def without(*missing):
    def look(self, name):
        if name in missing:
            raise AttributeError(name)
        return getattr(registry.load("tape").ops, name)

    return look


def test_a_composition_whose_part_is_missing_is_skipped_not_failed(door, site):
    site.write(
        "grid_engine",
        "import numpy as np\n"
        "from optshare.extend import complete\n"
        "from optshare_tape.backend import TapeBackend, backend as tape\n"
        "class Functions:\n"
        "    def __getattr__(self, name):\n"
        "        if name in ('expm1', 'nn', 'random'):\n"
        "            raise AttributeError(name)\n"
        "        return getattr(tape.ops, name)\n"
        "class Engine(TapeBackend):\n"
        "    name = 'grid'\n"
        "    ops = complete(Functions())\n"
        "backend = Engine()\n",
    )
    site.backend(
        "grid",
        engine=(site.path / "grid_engine.py").read_text(),
        array_types=("numpy.ndarray", "numpy.generic", "optshare_tape.values.Value"),
        capabilities=Capabilities(dtypes=("float64",)),
    )
    run = Run("grid")
    assert run.outcome(CHECKS["gradient.nn.relu"]).status == "passed"
    assert run.outcome(CHECKS["gradient.expm1"]).reason == "ops has no expm1"
    found = run.outcome(CHECKS["gradient.nn.elu"])  # composed of expm1
    assert found.status == "skipped"
    assert "expm1" in found.reason


def test_an_exception_that_cannot_be_shown_is_a_failure_all_the_same(add):
    class OddError(Exception):
        def __str__(self):
            raise RuntimeError("not even this")

    def body(subject):
        raise OddError

    found = Run("tape").outcome(add("broken.odd", 7, body))
    assert found.status == "failed"
    assert "OddError" in found.reason


def test_an_engine_that_would_end_the_process_is_a_failure_all_the_same(add):
    def body(subject):
        raise SystemExit("no licence")

    found = Run("tape").outcome(add("broken.licence", 7, body))
    assert found.status == "failed"
    assert "no licence" in found.reason


# -- once -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [list, reversed], ids=["in order", "the last first"])
def test_every_check_runs_once_in_a_run(monkeypatch, order):
    calls = Counter()

    def counting(check):
        def body(subject, *arguments):
            calls[check.id] += 1
            check.body(subject, *arguments)

        return replace(check, body=body)

    for id, each in list(CHECKS.items()):
        monkeypatch.setitem(CHECKS, id, counting(each))
    run = Run("tape")
    for each in order(checks()):
        run.outcome(each)
    assert run.outcomes() == run.outcomes()
    assert len(run.outcomes(3)) == len(checks(3))
    assert calls == dict.fromkeys(CHECKS, 1)


def test_a_blocked_check_is_not_run(add):
    ran = []
    add("broken.here", 4)
    blocked = add("robust.of_six", 6, body=ran.append)
    assert Run("tape").outcome(blocked).status == "blocked"
    assert ran == []


def test_a_lower_level_runs_none_of_the_higher(add):
    ran = []
    for level in range(LAST + 1):
        add(f"counting.{level}", level, body=lambda subject, level=level: ran.append(level))
    assert max(each.check.level for each in Run("tape").outcomes(3)) == 3
    assert ran == [0, 1, 2, 3]


# -- what is not declared -------------------------------------------------------------------


def test_an_undeclared_capability_is_skipped_and_it_is_said_that_it_works(stranger):
    dtypes = ("float16", "float32", "float64", "complex64", "complex128")
    declared = Capabilities(vjp=True, complex=True, dtypes=dtypes)
    name = stranger(capabilities=declared)
    outcomes = Run(name).outcomes()
    works = "higher_order is not declared, but it works"
    wanted = dict.fromkeys(("order.second", "order.mixed", "complex.second"), works)
    assert of_status(outcomes, "skipped") == wanted
    assert counted(outcomes) == {"passed": len(CHECKS) - 3, "skipped": 3}


def test_an_undeclared_capability_that_does_not_work_is_skipped_too(stranger):
    name = stranger("no gradient within a gradient", capabilities=Capabilities(dtypes=("float64",)))
    found = Run(name).outcome(CHECKS["order.second"])
    assert (found.status, found.reason) == ("skipped", "higher_order is not declared")


def test_a_declared_capability_that_does_not_work_fails(stranger):
    name = stranger("no gradient within a gradient")
    assert Run(name).outcome(CHECKS["order.second"]).status == "failed"


def test_an_undeclared_dtype_is_skipped_and_it_is_said_that_it_works(stranger):
    name = stranger(capabilities=Capabilities(higher_order=True, dtypes=("float64",)))
    found = Run(name).outcome(CHECKS["dtype.float32"])
    assert (found.status, found.reason) == ("skipped", "float32 is not declared, but it works")


def test_without_float64_whatever_needs_it_is_skipped(stranger):
    declared = Capabilities(higher_order=True, dtypes=("float32",))
    run = Run(stranger("exp has another slope", capabilities=declared))
    assert run.outcome(CHECKS["gradient.exp"]).reason == "float64 is not declared"
    assert run.outcome(CHECKS["gradient.sin"]).reason == "float64 is not declared, but it works"
    assert run.outcome(CHECKS["manifest.name"]).status == "passed"
    assert of_status(run.outcomes(), "blocked") == {}


# -- expected failures ----------------------------------------------------------------------


def test_a_declared_failure_is_an_expected_failure_with_its_reason(stranger):
    why = "exp is being rewritten: https://example.org/1"
    name = stranger("exp has another slope", expected_failures={"gradient.exp": why})
    outcomes = Run(name).outcomes()
    assert of_status(outcomes, "expected failure") == {"gradient.exp": why}
    after = sum(each.after == "gradient.exp" for each in CHECKS.values())
    passed = len(CHECKS) - 1 - after
    assert counted(outcomes) == {"passed": passed, "expected failure": 1, "blocked": after}
    assert isinstance(Run(name).outcome(CHECKS["gradient.exp"]).error, Mismatch)


def test_a_declared_failure_that_passes_fails_with_the_words_to_take_it_out(stranger):
    name = stranger(expected_failures={"gradient.exp": "exp is being rewritten"})
    found = Run(name).outcome(CHECKS["gradient.exp"])
    assert found.status == "failed"
    assert "it passes, but is declared to fail (exp is being rewritten)" in found.reason
    assert "take that out of the description" in found.reason


def test_an_expectation_of_what_is_blocked_or_skipped_is_neither_met_nor_missed(stranger):
    expected = {"order.mixed": "no second order", "robust.kept": "unsure"}
    name = stranger("exp has another slope", capabilities=Capabilities(dtypes=("float64",)),
                    expected_failures=expected)  # fmt: skip
    run = Run(name)
    assert run.outcome(CHECKS["order.mixed"]).status == "skipped"
    assert run.outcome(CHECKS["robust.kept"]).status == "blocked"


def test_an_expectation_of_no_check_is_found(stranger):
    expected = {"gradient.exp": "known", "gradient.epx": "misspelt", "gradient": "a group"}
    name = stranger(expected_failures=expected)
    assert unknown_expectations(name) == ["gradient.epx", "gradient"]


@pytest.mark.parametrize("name", ["tape", "functional", "torch", "jax", "autograd"])
def test_no_bundled_backend_expects_what_is_no_check(name):
    assert unknown_expectations(name) == []


# -- versions -------------------------------------------------------------------------------


def test_a_plugin_of_an_older_suite_skips_what_came_since(stranger, add):
    old = add("old.one", 2, since="2025.1")
    older = add("older.one", 2, since="2024.3")
    name = stranger(conformance="2025.1")
    run = Run(name)
    assert run.outcome(old).status == run.outcome(older).status == "failed"
    found = run.outcome(CHECKS["gradient.exp"])
    assert found.status == "skipped"
    assert f"version {VERSION} of the suite" in found.reason
    assert set(counted(run.outcomes())) == {"failed", "skipped", "blocked"}


def test_a_plugin_of_an_older_suite_is_not_failed_by_a_newer_check(stranger, add):
    new = add("new.one", 2, since="2026.2")
    run = Run(stranger())
    assert run.outcome(new).status == "skipped"
    assert (
        run.outcome(new).reason
        == "it came with version 2026.2 of the suite, and the plugin pins 2026.1"
    )
    assert counted(run.outcomes()) == {"passed": len(CHECKS) - 1, "skipped": 1}


@pytest.mark.parametrize(
    ("pinned", "since", "applies"),
    [
        ("2025.1", "2025.1", True),
        ("2025.2", "2025.1", True),
        ("2025.1", "2025.2", False),
        ("2025.9", "2026.1", False),
        ("2025.9", "2025.10", False),
        ("2025.10", "2025.9", True),
    ],
)
def test_versions_are_compared_as_numbers(stranger, add, pinned, since, applies):
    found = Run(stranger(conformance=pinned)).outcome(add("some.check", 0, passes, since=since))
    assert found.status == ("passed" if applies else "skipped")


def others_work(site, registry):
    assert list(registry.report())[:2] == ["acme", "zeta"]
    for name in ("acme", "zeta"):
        assert registry.load(name).name == name


def test_a_plugin_for_a_newer_protocol_is_quarantined_and_named(site, install):
    site.backend("acme")
    install(conformance="2031.1")
    site.backend("zeta")
    registry = site.registry()
    others_work(site, registry)
    with pytest.raises(UnavailableBackendError) as caught:
        registry.load("twisted")
    said = str(caught.value)
    assert "'twisted' is unavailable: twisted 1.0: " in said
    assert "protocol 2031.1" in said
    assert VERSION in said
    assert "upgrade optshare-ad" in said


@pytest.mark.parametrize(
    ("ours", "theirs", "works"),
    [
        ("2026.1", "2026.1", True),
        ("2026.1", "2026.2", False),
        ("2026.1", "2026.10", False),
        ("2026.9", "2026.10", False),
        ("2026.10", "2026.9", True),
        ("2026.10", "2026.10", True),
    ],
)
def test_protocols_are_compared_as_numbers(site, install, monkeypatch, ours, theirs, works):
    monkeypatch.setattr("optshare.plugins.PROTOCOL", ours)
    install(conformance=theirs)
    assert ("twisted" in site.registry().descriptions()) == works


# -- manifests of a wrong type --------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "essence"),
    [
        ({"capabilities": {"vjp": True}}, "capabilities"),
        ({"capabilities": dict}, "capabilities"),
        ({"conformance": 1}, "conformance"),
        ({"conformance": 2026.1}, "conformance"),
        ({"conformance": ""}, "conformance"),
        ({"conformance": None}, "conformance"),
        ({"conformance": (2026, 1)}, "conformance"),
        ({"conformance": "the latest"}, "conformance"),
        ({"expected_failures": ["gradient.exp"]}, "expected_failures"),
        ({"expected_failures": ("gradient.exp",)}, "expected_failures"),
        ({"expected_failures": "gradient.exp"}, "expected_failures"),
        ({"expected_failures": None}, "expected_failures"),
        ({"expected_failures": {"gradient.exp": None}}, "expected_failures"),
        ({"expected_failures": {"gradient.exp": 3}}, "expected_failures"),
        ({"expected_failures": {3: "why"}}, "expected_failures"),
        ({"array_types": "numpy.ndarray"}, "array_types"),
    ],
    ids=str,
)
def test_a_manifest_of_a_wrong_type_is_quarantined_with_its_distribution(
    site, install, changes, essence
):
    site.backend("acme")
    changes = {key: Raw("dict") if value is dict else value for key, value in changes.items()}
    install(**changes)
    site.backend("zeta")
    registry = site.registry()
    others_work(site, registry)
    with pytest.raises(UnavailableBackendError, match=r"twisted 1\.0") as caught:
        registry.load("twisted")
    assert essence in str(caught.value)


class Raw(str):
    __slots__ = ()
    __repr__ = str.__str__


def test_one_of_several_descriptions_for_a_newer_protocol_leaves_the_plugins_name_in_the_reason(
    site,
):
    site.plugin(
        "pair",
        "from optshare.extend import BackendDescription, hookimpl\n"
        "@hookimpl\n"
        "def optshare_backend():\n"
        "    one = dict(array_types=(), load='x:y')\n"
        "    return [BackendDescription(name='a', **one),\n"
        "            BackendDescription(name='b', conformance='2031.1', **one)]\n",
    )
    site.backend("acme")
    registry = site.registry()
    assert registry.load("acme").name == "acme"
    assert "pair 1.0" in " ".join(registry.reasons().values())
    assert "2031.1" in " ".join(registry.reasons().values())


# -- the command ----------------------------------------------------------------------------


def test_the_command_says_how_many_passed_on_each_level_and_gives_0(capsys):
    assert main(["conformance", "tape"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("conformance of 'tape'\n")
    for level in range(LAST + 1):
        many = sum(each.level == level for each in CHECKS.values())
        assert f"  level {level}: {many} passed\n" in said


def test_the_command_on_a_broken_backend_gives_1_and_the_failure(stranger, capsys):
    assert main(["conformance", stranger("exp has another slope")]) == 1
    said = capsys.readouterr().out
    assert "gradient.exp (level 2) fails on 'twisted'" in said
    assert "checks blocked by gradient.exp" in said
    assert said.count("fails on") == 1


def test_the_command_counts_an_expected_failure_as_well(stranger, capsys):
    expected = {"gradient.exp": "known, see #1"}
    assert main(["conformance", stranger("exp raises", expected_failures=expected)]) == 0
    assert "expected failure: gradient.exp: known, see #1" in capsys.readouterr().out


def test_an_unknown_backend_is_refused_with_the_choices(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "optshare", "conformance", "nope"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    assert "no backend is called 'nope'" in ran.stderr
    assert "choices: autograd, functional, jax, tape, torch" in ran.stderr


def test_a_quarantined_backend_is_refused_with_its_reason(stranger, capsys):
    assert main(["conformance", stranger(conformance="2031.1")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "twisted 1.0" in said.err
    assert "protocol 2031.1" in said.err


def test_a_level_stops_the_command_there(stranger, capsys):
    twisted = stranger("exp has another slope")
    assert main(["conformance", "tape", "--level", "3"]) == 0
    said = capsys.readouterr().out
    assert "level 3" in said
    assert "level 4" not in said
    assert main(["conformance", twisted, "--level", "1"]) == 0
    assert main(["conformance", twisted, "--level", "2"]) == 1


@pytest.mark.parametrize("level", ["8", "-1", "two", ""])
def test_a_level_that_is_none_is_refused(capsys, level):
    with pytest.raises(SystemExit) as end:
        main(["conformance", "tape", "--level", level])
    assert end.value.code == 2
    assert "--level" in capsys.readouterr().err


def test_the_json_file_holds_every_check_with_its_status_and_reason(stranger, tmp_path):
    file = tmp_path / "outcomes.json"
    name = stranger(
        "exp has another slope",
        capabilities=Capabilities(dtypes=("float64",)),
        expected_failures={"gradient.exp": "known ✓"},
    )
    assert main(["conformance", name, "--level", "3", "--json", str(file)]) == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["backend"] == name
    assert [each["id"] for each in found["checks"]] == [each.id for each in checks(3)]
    by_id = {each["id"]: each for each in found["checks"]}
    assert by_id["manifest.name"] == {
        "id": "manifest.name", "level": 0, "status": "passed", "reason": "",
    }  # fmt: skip
    assert by_id["gradient.exp"] == {
        "id": "gradient.exp", "level": 2, "status": "expected failure", "reason": "known ✓",
    }  # fmt: skip
    assert by_id["order.second"]["status"] == "skipped"


def test_the_json_file_is_written_when_checks_fail(stranger, tmp_path):
    file = tmp_path / "outcomes.json"
    assert main(["conformance", stranger("exp raises"), "--json", str(file)]) == 1
    found = {each["id"]: each for each in json.loads(file.read_text())["checks"]}
    assert len(found) == len(CHECKS)
    assert found["gradient.exp"]["status"] == "failed"
    assert "no exponentials today" in found["gradient.exp"]["reason"]
    assert found["robust.kept"]["reason"] == "blocked by gradient.exp"


def test_a_json_file_that_cannot_be_written_is_refused_in_plain_words(tmp_path, capsys):
    file = tmp_path / "no" / "such" / "folder.json"
    assert main(["conformance", "tape", "--level", "0", "--json", str(file)]) == 1
    assert "folder.json" in capsys.readouterr().err


# -- the subject ----------------------------------------------------------------------------


def test_a_subject_of_an_unknown_backend_names_the_choices():
    with pytest.raises(UnknownBackendError, match="choices: autograd, functional"):
        Subject("nope")


def test_a_check_prefers_its_backend_while_it_runs_and_not_after(stranger):
    seen = []
    before = registry.preferred()
    watching = Check(
        id="watching", level=0, paragraph="", body=lambda _: seen.append(registry.preferred())
    )
    watching(Subject(stranger()))
    assert seen == ["twisted"]
    assert registry.preferred() == before
