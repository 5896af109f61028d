"""The benchmarks run, refuse contestants that compute something else, and say what was measured."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.agreement import DisagreementError, require_equal, tolerance
from tests.benchmarks.environment import variables
from tests.benchmarks.markdown import page
from tests.benchmarks.measuring import interleaved
from tests.benchmarks.report import section
from tests.benchmarks.results import Results
from tests.benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parents[2]
GRADIENTS = [np.array([1.0, -2.0], np.float32)]
MILLISECOND = 1e-3
COMMAND = "--quick --workload small-operations --threads 1"


def results(**samples):
    """Results of made-up samples, in milliseconds."""
    names = {"torch": "torch eager", "tape": "optshare tape", "mygrad": "MyGrad"}
    found = {
        names[name]: [each and each * MILLISECOND for each in taken]
        for name, taken in samples.items()
    }
    return Results(found, {"HIPS autograd": "autograd is not installed"})


def test_a_contestant_with_other_gradients_is_refused():
    wrong = [GRADIENTS[0] * np.float32(1 + 2 * tolerance(100))]
    require_equal("one", (1.0, GRADIENTS), (1.0, GRADIENTS), 100)
    with pytest.raises(DisagreementError, match=r"one: gradient 0 is .* off"):
        require_equal("one", (1.0, wrong), (1.0, GRADIENTS), 100)


def test_a_contestant_with_another_loss_is_refused():
    with pytest.raises(DisagreementError, match=r"one: the loss is .* off"):
        require_equal("one", (1.001, GRADIENTS), (1.0, GRADIENTS), 100)


def test_a_contestant_that_leaves_a_gradient_out_or_gives_float64_is_refused():
    with pytest.raises(DisagreementError, match="gives 0 gradients, not 1"):
        require_equal("one", (1.0, []), (1.0, GRADIENTS), 100)
    with pytest.raises(DisagreementError, match="gradient 0 is float64"):
        require_equal("one", (1.0, [GRADIENTS[0].astype(float)]), (1.0, GRADIENTS), 100)


def test_every_round_has_a_sample_of_each_contestant():
    calls = []
    steps = {name: lambda name=name: calls.append(name) for name in "ab"}
    samples = interleaved(steps, 0, 1)
    assert set(samples) == {"a", "b"}
    assert len(samples["a"]) == len(samples["b"]) == 5
    assert all(each > 0 for each in samples["a"] + samples["b"])
    assert set(calls) == {"a", "b"}


def test_a_ratio_compares_samples_of_the_same_round_only():
    found = results(torch=[1, 10, 1], tape=[2, None, 3])
    assert found.ratio("optshare tape", "torch eager") == pytest.approx(2.5)
    assert found.median("optshare tape") == pytest.approx(2.5 * MILLISECOND)


def test_a_limit_that_is_not_kept_is_said():
    found = results(torch=[1, 1], tape=[0.95, 0.95], mygrad=[0.9, 0.9])
    assert found.verdict("optshare tape", 0.9) == "over 0.90; slower than MyGrad"
    assert found.verdict("optshare tape", 1.0) == "slower than MyGrad"
    assert results(torch=[1, 1], tape=[0.5, 0.5]).verdict("optshare tape", 0.9) == "kept"


def test_a_table_has_medians_quartiles_ratios_and_the_reason_of_whoever_is_missing():
    found = results(torch=[1, 2, 3], tape=[0.5, 1, 1.5])
    lines = section(WORKLOADS["mlp-8"], found, 1).splitlines()
    assert "| optshare tape | 1 | 0.75 to 1.25 | 0.50 | 3 | kept |" in lines
    assert "| torch eager | 2 | 1.5 to 2.5 | 1.00 | 3 |  |" in lines
    assert "| HIPS autograd | - | - | - | - | autograd is not installed |" in lines


def test_results_are_written_between_the_marks_of_a_page():
    text = "before\n<!-- results -->\nold\n<!-- /results -->\nafter"
    assert page(text, "new") == "before\n<!-- results -->\n\nnew\n\n<!-- /results -->\nafter"
    with pytest.raises(ValueError, match="has no part"):
        page("no marks", "new")
    page((ROOT / "docs" / "benchmarks.md").read_text(), "new")


def test_what_tunes_a_library_is_not_inherited(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = variables(2)
    assert "OPENBLAS_CORETYPE" not in found
    assert found["OMP_NUM_THREADS"] == found["OPENBLAS_NUM_THREADS"] == "2"


@pytest.mark.slow
def test_the_command_measures_a_workload():
    ran = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *COMMAND.split()],
        cwd=ROOT,
        env=variables(1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("optshare tape", "optshare functional", "torch eager", "jax.jit"):
        assert re.search(rf"^\| {name} \| [\d.]+ \| [\d.]+ to [\d.]+ \|", ran.stdout, re.M), name
