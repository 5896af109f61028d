"""A stranger's distribution, in an environment of its own, held to the protocol."""

import json
from pathlib import Path

import pytest

from tests.environments import interpreter, run

ROOT = Path(__file__).parents[2]
STRANGER = ROOT / "examples" / "third_party_backend"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment that holds optshare, the stranger and pytest."""
    return interpreter(tmp_path_factory.mktemp("stranger"), ROOT, STRANGER, "pytest")


def test_a_strangers_backend_passes_what_it_declares(python, tmp_path):
    path = tmp_path / "outcomes.json"
    run(python, "-m", "optshare", "conformance", "mygrad", "--json", path, cwd=tmp_path)
    found = json.loads(path.read_text())
    passed = [each["id"] for each in found["checks"] if each["status"] == "passed"]
    others = {each["id"]: each["reason"] for each in found["checks"] if each["id"] not in passed}
    assert len(passed) > 500
    lacking = {"hypot", "tensordot", "vecdot", "mixed", "second", "float16"}
    lacking |= {"einsum", "einsum_sum", "einsum_diagonal"}
    undeclared = {each for each in others if each.startswith("complex.")}
    bilinear = {"layer.bilinear", "layer.bilinear.no_bias", "layer.bilinear.empty"}
    bilinear |= {"layer.parallel.inputs"}
    assert all(others[each].endswith("no function 'tensordot'") for each in bilinear)
    rest = set(others) - undeclared - bilinear
    assert {each.rpartition(".")[2] for each in rest} <= lacking
    assert all(others[each].endswith("is not declared") for each in undeclared)
    assert others["order.second"] == "higher_order is not declared"


def test_its_two_lines_of_test_run_with_pytest(python, tmp_path):
    said = run(
        python, "-m", "pytest", "-q", STRANGER / "tests", "-p", "no:cacheprovider", cwd=tmp_path
    )
    assert " passed" in said
    assert "failed" not in said


def test_its_demo_trains_as_the_tape_does(python, tmp_path):
    run(python, STRANGER / "demo.py", cwd=tmp_path)


def test_optshare_knows_nothing_of_it():
    for folder in ("optshare", "backends"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "mygrad" not in path.read_text()
