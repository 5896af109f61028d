"""The wheel alone, in an empty environment outside the checkout."""

import re
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.environments import ended, interpreter, run

ROOT = Path(__file__).parents[1]
PACKAGES = [
    "optshare",
    "optshare_arrays",
    "optshare_tape",
    "optshare_functional",
    "optshare_torch",
    "optshare_jax",
    "optshare_autograd",
]

pytestmark = pytest.mark.slow


def first_block():
    """The first Python code of the README."""
    found = re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert found, "the README has no Python code block"
    return found.group(1)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment that holds the wheel and what it requires."""
    return interpreter(tmp_path_factory.mktemp("empty"), wheel)


def test_the_wheel_has_the_packages_their_types_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for package in PACKAGES:
        assert f"{package}/__init__.py" in names
        assert f"{package}/py.typed" in names
    assert {each.partition("/")[0] for each in names} - set(PACKAGES) == {
        each.partition("/")[0] for each in names if ".dist-info/" in each
    }


def test_the_wheel_has_the_entry_points_and_the_licence(wheel):
    archive = zipfile.ZipFile(wheel)
    folder = next(each.partition("/")[0] for each in archive.namelist() if ".dist-info/" in each)
    found = ConfigParser()
    found.read_string(archive.read(f"{folder}/entry_points.txt").decode())
    assert dict(found["optshare"]) == {
        "tape": "optshare_tape.plugin",
        "functional": "optshare_functional.plugin",
        "torch": "optshare_torch.plugin",
        "jax": "optshare_jax.plugin",
        "autograd": "optshare_autograd.plugin",
    }
    assert f"{folder}/licenses/LICENSE" in archive.namelist()
    metadata = archive.read(f"{folder}/METADATA").decode()
    assert "Name: optshare-ad\n" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_installed_wheel_is_not_the_checkout(python, tmp_path):
    place = run(python, "-c", "import optshare; print(optshare.__file__)", cwd=tmp_path)
    assert "site-packages" in place
    assert not Path(place.strip()).is_relative_to(ROOT)


def test_it_needs_no_extra(python, tmp_path):
    listed = run(python, "-m", "pip", "list", "--format=freeze", cwd=tmp_path)
    names = {each.partition("==")[0].partition(" ")[0] for each in listed.splitlines()}
    needed = {"numpy", "pluggy", "safetensors", "typing_extensions"}
    assert names <= {"pip", "setuptools", "optshare-ad"} | needed


def test_the_first_code_of_the_readme_runs(python, tmp_path):
    (tmp_path / "first.py").write_text(first_block())
    run(python, "-W", "error", "first.py", cwd=tmp_path)


def test_backends_lists_the_engines_and_why_the_frameworks_are_missing(python, tmp_path):
    said = run(python, "-m", "optshare", "backends", cwd=tmp_path)
    names = [line for line in said.splitlines() if not line.startswith(" ")]
    assert names == ["tape", "functional", "torch", "jax", "autograd"]
    for name in ("torch", "jax", "autograd"):
        reason = f"ModuleNotFoundError: No module named '{name}'"
        assert f"unavailable: optshare-ad 0.1.0: {reason}" in said


def test_the_kit_holds_an_engine_to_the_protocol_without_pytest(python, tmp_path):
    said = run(python, "-m", "optshare", "conformance", "tape", cwd=tmp_path)
    assert "failed" not in said
    assert "level 7: " in said


def test_the_demo_without_its_extra_says_what_to_install(python, tmp_path):
    ran = ended(python, "-m", "optshare", "demo", cwd=tmp_path)
    assert ran.returncode == 1
    assert "pip install 'optshare-ad[demo]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_version_is_that_of_the_package(python, tmp_path):
    code = "import optshare; from importlib.metadata import version; print(optshare.__version__ == version('optshare-ad'))"  # noqa: E501 # one program
    assert run(python, "-c", code, cwd=tmp_path).strip() == "True"
