"""`python -m optshare`: what it prints, and how it refuses."""

import os
import subprocess
import sys

import pytest

from optshare.__main__ import main

BROKEN_ENGINE = "raise OSError('wrong ELF class')"


@pytest.fixture
def run(tmp_path):
    """Runs `python -m optshare ...` in an empty folder, with a site's plugins if given."""

    def run(*arguments, site=None, code=0, **environment):
        paths = {"PYTHONPATH": str(site.path)} if site else {}
        ran = subprocess.run(
            [sys.executable, "-m", "optshare", *arguments],
            cwd=tmp_path,
            env={"HOME": os.environ.get("HOME", "/"), **paths, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in ran.stderr
        assert ran.returncode == code, ran.stderr
        return ran

    return run


def blocks(text):
    """The lines below each backend's name."""
    found = {}
    for line in text.splitlines():
        if line.startswith(" "):
            list(found.values())[-1].append(line.strip())
        else:
            found[line] = []
    return found


# -- help -----------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_without_a_command_it_shows_the_commands(run, arguments):
    said = run(*arguments).stdout
    assert "usage: python -m optshare" in said
    assert "backends" in said
    assert "demo" in said


def test_each_command_has_help(run):
    said = run("demo", "--help").stdout
    assert "--epochs" in said
    assert "--picture" in said


def test_an_unknown_command_is_refused_with_the_choices(run):
    ran = run("train", code=2)
    assert "'train'" in ran.stderr
    assert "backends" in ran.stderr
    assert ran.stdout == ""


# -- backends -------------------------------------------------------------------------------


def test_backends_lists_each_with_its_capabilities(run):
    found = blocks(run("backends").stdout)
    assert list(found) == ["tape", "functional", "torch", "jax", "autograd"]
    assert found["tape"] == [
        "vjp: yes",
        "higher_order: yes",
        "accumulates_grad: yes",
        "inplace: yes",
        "complex: yes",
        "devices: cpu",
        "dtypes: float16, float32, float64, complex64, complex128",
    ]
    assert "accumulates_grad: yes" not in found["functional"]


def test_backends_lists_strangers_and_the_reasons_of_the_unavailable(run, site):
    site.backend("acme")
    site.plugin("absent", "import no_such_framework")
    site.backend("heavy", engine=BROKEN_ENGINE)
    found = blocks(run("backends", site=site).stdout)
    assert set(found) == {
        "tape",
        "functional",
        "torch",
        "jax",
        "autograd",
        "acme",
        "absent",
        "heavy",
    }
    assert found["absent"] == [
        "unavailable: absent 1.0: ModuleNotFoundError: No module named 'no_such_framework'"
    ]
    assert found["heavy"] == ["unavailable: heavy 1.0: OSError: wrong ELF class"]


def test_backends_does_not_ask_the_variable(run):
    assert "tape" in run("backends", OPTSHARE_BACKEND="zygote").stdout


# -- demo: mistakes -------------------------------------------------------------------------


def refused(capsys, *arguments):
    """What is said on stderr by a run that fails before it trains."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert code in (1, 2)
    assert said.out == ""
    return said.err


def test_an_unknown_engine_is_refused_with_the_choices(capsys):
    said = refused(capsys, "demo", "tap")
    assert "'tap'; choices: tape (did you mean this?), autograd, functional" in said


def test_one_unknown_engine_among_good_ones_is_refused_before_training(capsys):
    assert "'zygote'" in refused(capsys, "demo", "tape", "zygote")


@pytest.mark.parametrize("epochs", ["0", "-3"])
def test_epochs_below_1_are_refused(capsys, epochs):
    assert f"'{epochs}' is not a whole number, at least 1" in refused(
        capsys, "demo", "--epochs", epochs
    )


@pytest.mark.parametrize("epochs", ["many", "1.5", ""])
def test_epochs_that_are_no_whole_number_are_refused_in_plain_words(capsys, epochs):
    said = refused(capsys, "demo", "--epochs", epochs)
    assert repr(epochs) in said
    assert "_positive" not in said  # the name of a function of ours


@pytest.mark.parametrize("picture", ["no/such/folder/demo.png", "demo.xyz"])
def test_a_picture_that_cannot_be_written_is_refused_before_training(run, picture):
    ran = run("demo", "tape", "--epochs", "1", "--picture", picture, code=1)
    assert ran.stderr.startswith("optshare: ")
    assert picture in ran.stderr
    assert ran.stdout == ""


def test_an_unknown_option_is_refused(capsys):
    assert "--batch" in refused(capsys, "demo", "--batch", "3")


def test_an_unknown_name_in_the_variable_is_refused(run):
    said = run("demo", "--epochs", "1", code=1, OPTSHARE_BACKEND="zygote").stderr
    assert "OPTSHARE_BACKEND=zygote" in said
    assert "choices: autograd, functional, jax, tape" in said


def test_a_package_that_the_demo_lacks_is_named_with_the_fix(run, site):
    site.write("sklearn", "raise ImportError('not installed')")
    said = run("demo", site=site, code=1).stderr
    assert "the demo needs sklearn" in said
    assert "pip install 'optshare-ad[demo]'" in said


# -- demo: runs -----------------------------------------------------------------------------


def test_the_demo_prints_a_table_and_draws_a_picture(run, tmp_path):
    ran = run("demo", "--epochs", "1")
    assert "1438 digits to train on, 359 to test on" in ran.stdout
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["engine", "loss", "1", "accuracy", "seconds", "deviation"] in lines
    assert {"tape", "functional"} <= {line[0] for line in lines if line}
    assert "100%" in ran.stderr
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_demo_runs_the_engines_that_are_named_in_their_order(run):
    rows = [line.split() for line in run("demo", "functional", "--epochs", "1").stdout.splitlines()]
    assert [row[0] for row in rows if row and row[0] in ("tape", "functional")] == ["functional"]


def test_the_demo_passes_over_an_engine_that_does_not_load(run, site):
    site.backend("heavy", array_types=("numpy.ndarray",), engine=BROKEN_ENGINE)
    said = run("demo", "--epochs", "1", site=site).stdout
    rows = {line.split()[0] for line in said.splitlines() if line.strip()}
    assert {"tape", "functional"} <= rows


def test_an_engine_that_is_named_and_does_not_load_is_refused_with_its_reason(run, site):
    site.backend("heavy", engine=BROKEN_ENGINE)
    ran = run("demo", "heavy", "--epochs", "1", site=site, code=1)
    assert "'heavy' is unavailable: heavy 1.0: OSError: wrong ELF class" in ran.stderr


def test_the_demo_shows_no_row_of_an_engine_that_another_one_ran(run, site):
    site.backend("foreign")  # which claims no array that the demo has
    said = run("demo", "--epochs", "1", site=site).stdout
    (line,) = [each for each in said.splitlines() if "foreign" in each]
    assert line.startswith("foreign is left out: ")
