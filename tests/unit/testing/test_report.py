"""What is said of a failure, programs that show it, and what counts as equal."""

import re
import textwrap

import numpy as np
import pytest

from optshare import registry
from optshare.parameter import Parameter
from optshare.testing import (
    CHECKS,
    LAST,
    Check,
    Mismatch,
    Outcome,
    Run,
    Subject,
    checks,
    failure,
    summary,
    table,
)
from optshare.testing.check import require, require_close, require_equal, ulps
from optshare.testing.report import as_json
from optshare.testing.scenarios import (
    ALL,
    evaluated,
    gradients_of,
    inputs,
    program,
    weights_of,
)

BUNDLED = ["tape", "functional", "torch", "jax", "autograd"]
FAILURES = {
    "parameters backwards": "params.paths",
    "exp has another slope": "gradient.exp",
    "exp has another value": "gradient.exp",
    "exp has no gradient": "gradient.exp",
    "exp gives NaN": "gradient.exp",
    "exp raises": "gradient.exp",
    "exp has a slope that is off by 1e-10": "gradient.exp",
    "the gradient of flip is not flipped": "gradient.flip",
    "the gradient of softmax is zero": "gradient.nn.softmax",
    "update does nothing": "update.writes",
    "update takes any shape": "update.shape",
    "no gradient of a number": "gradient.zero_axes",
    "no gradient within a gradient": "order.second",
    "parameters out of nothing": "params.none",
    "another name": "manifest.name",
}


def reported(name, id):
    """The text of a failure, and its outcome."""
    outcome = Run(name).outcome(CHECKS[id])
    assert outcome.status == "failed", outcome
    return failure(name, outcome), outcome


def of_level(level):
    return [each for each in CHECKS.values() if each.level == level]


def program_of(text):
    return textwrap.dedent(text.partition("to reproduce:\n")[2])


def failed_with(got, wanted, what="they differ"):
    """The text of a made-up failure."""
    check = Check(id="made.up", level=2, paragraph="It must hold.", body=failed_with)
    error = Mismatch(what, got, wanted)
    return failure("tape", Outcome(check, "failed", f"Mismatch: {what}", error))


# -- the text -------------------------------------------------------------------------------


def test_a_failure_says_all_that_a_bug_report_needs(stranger):
    text, outcome = reported(stranger("exp has another slope"), "gradient.exp")
    lines = text.splitlines()
    assert lines[0] == "gradient.exp (level 2) fails on 'twisted'"
    assert f"the protocol: {CHECKS['gradient.exp'].paragraph}" in lines
    assert "the gradient of argument 0 is wrong" in text
    for word, array in (("got", outcome.error.got), ("wanted", outcome.error.wanted)):
        (line,) = [each for each in lines if each.startswith(f"{word}:")]
        shown = [float(each) for each in re.findall(r"-?\d+\.\d*(?:e-?\d+)?", line)]
        np.testing.assert_allclose(shown, np.ravel(array), rtol=1e-6)
    (said,) = re.findall(r"difference: +(\S+) ulp", text)
    apart = np.abs(outcome.error.got - outcome.error.wanted)
    wanted = np.max(apart / np.spacing(np.abs(outcome.error.wanted)))
    assert float(said) == pytest.approx(wanted, rel=1e-2)
    assert "registry.load('twisted')" in program_of(text)


def test_an_exception_of_the_backend_is_shown_with_its_type(stranger):
    text, _ = reported(stranger("exp raises"), "gradient.exp")
    assert "found:        ZeroDivisionError: no exponentials today" in text
    assert "gradient.exp (level 2)" in text


@pytest.mark.parametrize("twist", FAILURES)
def test_whatever_fails_its_text_has_id_paragraph_and_program(stranger, twist):
    id = FAILURES[twist]
    text, _ = reported(stranger(twist), id)
    assert text.startswith(f"{id} (level {CHECKS[id].level}) fails on 'twisted'")
    assert CHECKS[id].paragraph in text
    assert "found:  " in text
    assert "twisted" in program_of(text)


def test_a_nan_is_reported_without_a_warning(stranger):
    text, _ = reported(stranger("exp gives NaN"), "gradient.exp")
    assert "nan" in text
    assert "wanted:" in text


def test_an_absent_gradient_of_an_array_without_axes_is_said_to_be_absent(stranger):
    outcome = Run(stranger("no gradient of a number")).outcome(CHECKS["gradient.zero_axes"])
    assert isinstance(outcome.error, Mismatch), outcome.reason
    assert outcome.error.got is None or np.asarray(outcome.error.got) == np.asarray(None)


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (None, 5.0),
        (object(), 5.0),
        ("text", 5.0),
        (None, np.array(2.0)),
        ([("phantom", Parameter([1.0, 2.0]))], []),
        ([("phantom", np.ones(3)), ("w", np.ones((2, 2)))], []),
        ([1, [2, 3]], [1.0, 2.0]),
        (Parameter([1.0]), np.ones(1)),
        (float, int),
        (np.array([1e308]), np.array([-1e308])),
        (np.full(3, np.nan), np.ones(3)),
        (np.full(3, np.inf), np.full(3, np.inf)),
        (np.zeros(0), np.zeros(0)),
        (np.array([1, 2]), np.array([1.0, 3.0])),
        (np.array([True]), np.array([1.0])),
        (np.float32(1.0), np.float32(2.0)),
    ],
    ids=lambda each: re.sub(r"0x\w+", "...", repr(each)),
)
def test_whatever_was_got_and_wanted_can_be_reported(got, wanted):
    text = failed_with(got, wanted)
    assert "made.up (level 2) fails on 'tape'" in text
    assert "got:" in text
    assert "to reproduce:" in text


def test_large_arrays_are_cut_short():
    text = failed_with(np.arange(1e5), np.arange(1e5) + 1)
    assert len(text) < 3000
    assert len([each for each in text.splitlines() if each.startswith("got:")]) == 1


def test_a_long_text_without_a_blank_is_cut_and_not_lost():
    text = failed_with("x" * 1000, "y" * 1000)
    assert "xxxxxxxx" in text
    assert "yyyyyyyy" in text


# -- programs -------------------------------------------------------------------------------


def numbers(text):
    return [float(each) for each in re.findall(r"-?\d+\.\d*(?:e[-+]?\d+)?", text)]


def scenarios():
    """The twists that a scenario finds, by its numbers."""
    found = [twist for twist, id in FAILURES.items() if id.removeprefix("gradient.") in ALL]
    return [twist for twist in found if twist != "exp raises"]


@pytest.mark.parametrize("twist", scenarios())
def test_the_program_of_a_scenario_shows_the_failure(stranger, execute, twist):
    text, _ = reported(stranger(twist), FAILURES[twist])
    broken = numbers(execute(program_of(text)))
    right = numbers(execute(program_of(text).replace("'twisted'", "'tape'")))
    assert len(broken) != len(right) or np.abs(np.subtract(broken, right)).max() > 1e-14


@pytest.mark.parametrize(
    "twist",
    [
        each
        for each, id in FAILURES.items()
        if id.removeprefix("gradient.") not in ALL and each != "no gradient within a gradient"
    ],
)
def test_the_program_of_another_check_raises_the_mismatch(stranger, execute, twist):
    text, outcome = reported(stranger(twist), FAILURES[twist])
    with pytest.raises(Mismatch, match=re.escape(str(outcome.error))):
        execute(program_of(text))


@pytest.mark.parametrize("twist", ["exp raises", "no gradient within a gradient"])
def test_the_program_of_a_backend_that_raises_raises_the_same(stranger, execute, twist):
    text, outcome = reported(stranger(twist), FAILURES[twist])
    with pytest.raises(type(outcome.error), match=re.escape(str(outcome.error))):
        execute(program_of(text))


def test_the_program_of_a_stale_expectation_runs_to_its_end(stranger, execute):
    name = stranger(expected_failures={"params.order": "long ago"})
    text, _ = reported(name, "params.order")
    execute(program_of(text))


@pytest.mark.parametrize("level", range(LAST + 1))
def test_each_check_that_passes_can_be_called_by_its_id(level):
    for each in of_level(level):
        CHECKS[each.id](Subject("tape"))


def test_a_checks_own_lines_are_in_its_program(stranger):
    text, _ = reported(stranger("update does nothing"), "update.writes")
    assert "CHECKS['update.writes'](Subject('twisted'))" in text
    assert "subject.backend.update(key, subject.array([3.0, 4.0]))" in text


@pytest.mark.parametrize("backend", BUNDLED)
@pytest.mark.parametrize("name", ["exp", "atan2", "sum", "concat", "nn.gelu", "operators", "index"])
def test_a_program_prints_the_value_and_the_gradients(execute, backend, name):
    row = ALL[name]
    got, wanted = execute(program(backend, row)).split("wanted")
    arrays, weights = inputs(row), weights_of(row)
    value = evaluated(row.expression, registry.load("tape").ops, arrays)
    for printed in (numbers(got), numbers(wanted)):
        assert printed[0] == pytest.approx(float((value * weights).sum()), rel=1e-3)
        for each in np.ravel(gradients_of(row, arrays, weights)[0]):
            assert np.min(np.abs(np.array(printed) - each)) < 1e-3


@pytest.mark.parametrize("name", ALL)
def test_every_scenarios_program_runs_in_a_fresh_namespace(execute, name):
    printed = execute(program("tape", ALL[name]))
    assert printed.count("array(") >= len(ALL[name].domains)


# -- a run ----------------------------------------------------------------------------------


def test_a_summary_has_a_line_for_each_level_and_tells_what_did_not_pass(stranger):
    name = stranger("exp has another slope", expected_failures={"order.mixed": "why not"})
    text = summary(name, Run(name).outcomes())
    assert text.startswith(f"conformance of 'twisted'\n  level 0: {len(of_level(0))} passed\n")
    levels = re.findall(r"^  level (\d): ", text, re.MULTILINE)
    assert levels == [str(each) for each in range(LAST + 1)]
    blocked = sum(c.level >= 4 or c.after == "gradient.exp" for c in CHECKS.values())
    assert f"  {blocked} checks blocked by gradient.exp" in text
    assert "order.mixed (level 2) fails" in text
    assert text.count("to reproduce:") == 2


def test_a_summary_of_a_few_levels_says_nothing_of_the_others():
    text = summary("tape", Run("tape").outcomes(1))
    assert text.splitlines() == [
        "conformance of 'tape'",
        f"  level 0: {len(of_level(0))} passed",
        f"  level 1: {len(of_level(1))} passed",
    ]


def test_the_outcomes_as_plain_data_are_in_order_and_plain():
    found = as_json("tape", Run("tape").outcomes(2))
    assert list(found) == ["backend", "checks"]
    for each in found["checks"]:
        assert set(each) == {"id", "level", "status", "reason"}
        assert [type(value) for value in each.values()] == [str, int, str, str]


def test_the_table_has_a_column_for_each_backend_and_a_row_for_each_group(stranger):
    name = stranger("exp has another slope", expected_failures={"gradient.exp": "see #1"})
    lines = table([Run("tape"), Run(name)]).splitlines()
    assert lines[0] == "| checks | `tape` | `twisted` |"
    groups = dict.fromkeys(each.id.partition(".")[0] for each in checks())
    rows = {
        cells[1].strip(): cells[2:4]
        for cells in (each.split("|") for each in lines[2 : 2 + len(groups)])
    }
    assert list(rows) == [f"`{each}`" for each in groups]
    for group in groups:
        many = sum(each.partition(".")[0] == group for each in CHECKS)
        assert rows[f"`{group}`"][0].strip() == str(many)
    many = sum(each.startswith("gradient.") for each in CHECKS)
    assert rows["`gradient`"][1].strip() == f"{many - 2}, 1 expected failure, 1 blocked"
    assert "- `twisted`, `gradient.exp`: expected failure: see #1." in lines


# -- what counts as equal -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1e6, 1e-7], [1e6, 0.0]),  # relative to the largest
        ([1e-7, 1e6 * (1 + 9e-13)], [0.0, 1e6]),
        ([1e-13], [0.0]),
        ([np.nan, 1.0], [np.nan, 1.0]),
        ([np.inf, -np.inf, 1.0], [np.inf, -np.inf, 1.0]),
        (2.0, np.array(2.0)),
        (2, 2.0),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.float32([0.5]), np.float64([0.5])),
        ([5e-324], [5e-324]),
        (np.array([1, 2]), np.array([1, 2])),
    ],
    ids=repr,
)
def test_arrays_that_agree_to_the_largest_element_are_close(got, wanted):
    require_close(got, wanted, "they differ")


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-11]),
        ([1e6, 1e-5], [1e6, 0.0]),
        ([1e-11], [0.0]),
        ([1e-300], [2e-300]),  # the scale is that of the wanted numbers, not 1
        ([np.nan, 1.0], [1.0, 1.0]),
        ([1.0, 1.0], [np.nan, 1.0]),
        ([np.inf, 1.0], [1.0, 1.0]),
        ([1.0, 1.0], [np.inf, 1.0]),
        ([np.inf], [-np.inf]),
        ([np.nan], [np.inf]),
        ([np.inf, 3.0], [np.inf, 1.0]),
        ([np.nan], [np.nan + 0.0, np.nan]),
        ([1e308], [-1e308]),
        (2.0, [2.0]),
        ([[1.0, 2.0]], [1.0, 2.0]),
        (np.zeros((0, 3)), np.zeros((3, 0))),
        (np.zeros(0), 0.0),
        (None, [1.0]),
        (None, 1.0),
    ],
    ids=repr,
)
def test_arrays_that_do_not_agree_raise_a_mismatch(got, wanted):
    with pytest.raises(Mismatch, match="they differ") as caught:
        require_close(got, wanted, "they differ", program="print(1)")
    assert caught.value.program == "print(1)"
    np.testing.assert_array_equal(caught.value.wanted, wanted)


def test_other_shapes_are_named():
    with pytest.raises(Mismatch, match=r"the sum: shape \(2,\) instead of \(3,\)"):
        require_close(np.ones(2), np.ones(3), "the sum")


def test_a_tolerance_may_be_given():
    require_close([1.0], [1.0001], "they differ", rtol=1e-3)
    with pytest.raises(Mismatch):
        require_close([1.0], [1.01], "they differ", rtol=1e-3)


def test_requiring_what_holds_says_nothing_and_what_does_not_says_both():
    require(True, "never")
    require_equal([1, 2], [1, 2], "never")
    with pytest.raises(Mismatch, match="others") as caught:
        require_equal([1, 2], [1, 3], "others")
    assert (caught.value.got, caught.value.wanted) == ([1, 2], [1, 3])
    with pytest.raises(AssertionError):
        require(0, "a Mismatch is an AssertionError")


@pytest.mark.parametrize(
    ("got", "wanted", "apart"),
    [
        (1.0, 1.0, 0.0),
        (1.0 + 2.0**-52, 1.0, 1.0),
        (1.0 - 2.0**-52, 1.0, 1.0),
        ([8.0, 1.0 + 2.0**-50], [8.0, 1.0], 4.0),
        (-2.0, -2.0 - 2.0**-51, 1.0),
        (np.float32(1) + np.spacing(np.float32(1)), np.float32(1), 1.0),
        ([np.nan, 1.0 + 2.0**-52], [1.0, 1.0], 1.0),
    ],
)
def test_ulps_count_units_of_the_last_place_of_the_wanted_number(got, wanted, apart):
    assert ulps(got, wanted) == apart


@pytest.mark.parametrize(
    ("got", "wanted"),
    [(1, 2), (np.ones(2), np.ones(3)), ([], []), ("a", "b"), (None, None), (None, 1.0),
     (np.array([True]), np.array([False])), (object(), 2.0), (float, 1.0)],
)  # fmt: skip
def test_what_has_no_last_place_has_no_ulps(got, wanted):
    assert ulps(got, wanted) is None
