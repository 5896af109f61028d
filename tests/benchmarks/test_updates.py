"""The benchmarks of updates: their sets, their floor, who is refused, what the page says."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from optshare.batches import matching
from tests.benchmarks.__main__ import parsed
from tests.benchmarks.agreement import DisagreementError
from tests.benchmarks.environment import variables
from tests.benchmarks.markdown import page
from tests.benchmarks.results import Results
from tests.benchmarks.updates import ours, shapes
from tests.benchmarks.updates.agreement import bound, check, expected
from tests.benchmarks.updates.floors import aligned, floor, parts
from tests.benchmarks.updates.limits import LIMITS, Limit, allowed, verdict
from tests.benchmarks.updates.memory import traced
from tests.benchmarks.updates.peers import Thinc, optax_adam, torch_adam
from tests.benchmarks.updates.problem import LR, problem
from tests.benchmarks.updates.report import report
from tests.benchmarks.updates.studies import STUDIES

ROOT = Path(__file__).parents[2]
SMALL = problem([(5, 3), (7,)], threads=1)


def test_resnet_50_has_its_161_shapes_and_25557032_parameters():
    found = shapes.resnet_50(quick=False)
    assert len(found) == 161
    assert sum(map(math.prod, found)) == 25_557_032
    assert found[0] == (64, 3, 7, 7)
    assert found[-2:] == [(1000, 2048), (1000,)]


def test_a_thousand_arrays_have_64_to_1024_elements_and_are_the_same_each_time():
    found = shapes.thousand_arrays(quick=False)
    assert len(found) == 1000
    assert all(64 <= each <= 1024 for (each,) in found)
    assert found == shapes.thousand_arrays(quick=False)


def test_the_numbers_are_float32_of_either_sign_with_magnitudes_from_a_half_to_one_and_a_half():
    (one,) = problem([(1000,)], threads=1).gradients
    assert one.dtype == np.float32
    assert np.all((np.abs(one) >= 0.5) & (np.abs(one) <= 1.5))
    assert 0.4 < np.mean(one > 0) < 0.6


def test_the_first_step_of_the_reference_is_the_learning_rate(monkeypatch):
    monkeypatch.setattr("tests.benchmarks.updates.agreement.SCALES", (1.0,))
    (found,) = expected([np.array([1.0, 1.0])], [np.array([2.0, -0.5])])
    assert np.allclose(found, [1 - LR, 1 + LR], rtol=1e-10)


@pytest.mark.parametrize("kind", [ours.Ours, ours.OverTorch])
@pytest.mark.parametrize("face", [ours.updated, ours.stepped])
def test_optshare_takes_the_steps_of_the_paper_by_either_face(kind, face):
    check(SMALL, {"one": face(kind)(SMALL)})


@pytest.mark.parametrize("face", [ours.updated, ours.stepped])
def test_what_is_numpy_only_compiles_nothing(monkeypatch, face):
    pytest.importorskip("numba")
    large = problem([(200, 200)], threads=1)
    monkeypatch.setattr(matching, "Compiled", None)
    check(large, {"numpy": face(ours.Ours, only="numpy")(large)})
    with pytest.raises(TypeError, match="not callable"):
        check(large, {"fast": face(ours.Ours)(large)})


def test_so_do_torch_and_what_optshare_does_for_jax():
    fused, jax = torch_adam(fused=True)(SMALL), ours.updated(ours.OverJax)(SMALL)
    check(SMALL, {"torch": fused, "jax": jax, "loss": ours.OverJaxWithLoss(SMALL)})


def test_so_do_optax_and_thinc_where_they_are_installed():
    pytest.importorskip("optax")
    check(SMALL, {"optax": optax_adam()(SMALL), "loss": optax_adam(loss=True)(SMALL)})
    pytest.importorskip("thinc")
    check(SMALL, {"thinc": Thinc(SMALL)})


def test_other_betas_are_refused_although_the_first_step_is_the_same(monkeypatch):
    monkeypatch.setattr(ours, "BETAS", (0.9, 0.99))
    with pytest.raises(DisagreementError, match=r"one: parameter 0 is .* off"):
        check(SMALL, {"one": ours.updated(ours.Ours)(SMALL)})


def test_a_step_that_is_off_by_a_thousandth_is_refused_and_what_rounding_does_is_not():
    assert 3 * 2.0**-24 < bound(1.5) < LR * 1e-3


def test_the_floor_reads_and_writes_all_of_its_streams_on_every_thread():
    pytest.importorskip("numba")
    run = floor(3)(problem([(1_200_000,)], threads=2))
    assert [[each.size for each in part] for part in run.parts] == [[600_000] * 4] * 2
    run.step()
    for gradient, *moving in run.parts:
        assert np.all(gradient == 1)
        assert all(np.all(each == 1.5) for each in moving)


def test_a_buffer_begins_with_a_cache_line_and_parts_are_views_of_it():
    buffer = aligned(1001)
    assert buffer.ctypes.data % 64 == 0
    assert [each.size for (each,) in parts([buffer], 2)] == [501, 500]
    assert parts([buffer], 2)[0][0].base is not None


def test_the_kernel_is_named_for_the_optimizer_and_for_nobody_after_it(monkeypatch):
    seen = []
    monkeypatch.setenv("OPTSHARE_KERNEL", "something else")
    with ours.kernel("numpy"):
        seen.append(ours.os.environ.get("OPTSHARE_KERNEL"))
    with ours.kernel(None):
        seen.append(ours.os.environ.get("OPTSHARE_KERNEL"))
    assert seen == ["numpy", None]
    assert variables(2)["OPTSHARE_NUM_THREADS"] == "2"


def test_what_a_step_takes_is_its_peak_and_not_what_it_keeps():
    assert 8_000_000 <= traced(lambda: np.ones(1_000_000).sum()) < 8_100_000


def test_each_limit_names_contestants_of_its_study():
    for each in LIMITS:
        assert {each.name, each.other} <= set(STUDIES[each.study].contestants), each


def test_a_limit_is_kept_or_over_or_not_measured():
    found = {"rules": Results({"a": [1.2, 2.4], "b": [1.0, 2.0]}, {})}
    assert verdict(Limit("rules", "a", "b", 1.3), found) == "1.20 kept"
    assert verdict(Limit("rules", "a", "b", 1.1), found) == "1.20 over"
    assert verdict(Limit("rules", "a", "missing", 1.1), found) == "-"


def test_only_jax_may_take_a_copy_of_the_parameters_beside_four_megabytes():
    assert allowed("optshare torch, update", "one-array") == 4e6
    assert allowed("optshare JAX, update", "one-array") == 44e6


def test_the_page_has_the_limits_the_memory_and_the_reason_of_whoever_is_missing():
    taken = {"floor": [1e-3, 1e-3], "optshare fast, update": [2e-3, 2e-3]}
    one = Results(taken, {"thinc": "thinc is not installed"}, {"optshare fast, update": 5_000_000})
    lines = report({1: ("", {"one-array": one})}, "make bench").splitlines()
    title = STUDIES["one-array"].title
    assert f"| {title} | optshare fast, update | floor | 1.1 | 2.00 over |" in lines
    assert "| optshare fast, update | 5.0 over |" in lines
    assert "| optshare fast, update | 2 | 2 to 2 | 2.00 | 2 |" in lines
    assert "| thinc | - | - | - | thinc is not installed |" in lines
    page((ROOT / "docs" / "benchmarks-updates.md").read_text(), "new")


def test_a_quick_run_is_not_written_into_a_page(capsys):
    with pytest.raises(SystemExit):
        parsed(["--quick", "--write", "docs"])
    assert "which no page should show" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_measures_every_study():
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.benchmarks",
            *["--quick", "--kind", "updates", "--threads", "1"],
        ],
        cwd=ROOT,
        env=variables(1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for study in STUDIES.values():
        assert study.title in ran.stdout
    for name in ("torch, fused", "optshare fast, step()", "optshare JAX, step(fn)"):
        assert f"\n| {name} | " in ran.stdout, name
