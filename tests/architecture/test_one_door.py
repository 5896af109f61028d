"""Backends come in through the entry points only: nothing in optshare knows one."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "optshare").rglob("*.py"))
BACKENDS = sorted((ROOT / "backends").rglob("*.py"))
FRAMEWORKS = {"torch", "jax", "jaxlib", "flax", "equinox", "autograd", "cupy", "numba"}
BACKEND_NAMES = {"tape", "functional", "torch", "jax", "autograd"}
NAMESAKES = {"optshare/rules/presets.py": {"torch"}}  # a dialect, for arrays of any engine
KERNELS = {  # when a kernel is run, not before
    "optshare/kernels/cuda.py": {"cupy"},
    "optshare/kernels/compiled/access.py": {"numba"},
    "optshare/kernels/compiled/arrays.py": {"numba"},
    "optshare/kernels/compiled/finite.py": {"numba"},
}
EXTRAS = {"sklearn", "scipy", "tqdm", "matplotlib"}


def named(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def docstrings(tree):
    """The nodes of docstrings, those of attributes too."""
    found = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                found.add(statement.value)
    return found


def texts(tree):
    """The string constants that are no docstrings."""
    skip = docstrings(tree)
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {each.value for each in constants if isinstance(each.value, str) and each not in skip}


def imported(tree):
    """The modules that a file imports anywhere, by `import`, `from` or a literal name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Call) and node.args:
            called = node.func
            name = getattr(called, "id", getattr(called, "attr", ""))
            if name in ("import_module", "__import__", "resolve_name", "require"):
                argument = node.args[0]
                found |= {argument.value} if isinstance(argument, ast.Constant) else set()
    return found


def tops(modules):
    return {each.partition(".")[0] for each in modules}


def test_the_readers_of_this_file_see_what_they_look_for():
    tree = ast.parse(
        '"""tape"""\n'
        "import torch.nn as t\n"
        "def f():\n"
        "    '''jax'''\n"
        "    from optshare_tape import back\n"
        "    import_module('cupy.cuda')\n"
        "    return name == 'functional'\n"
    )
    assert tops(imported(tree)) == {"torch", "optshare_tape", "cupy"}
    assert texts(tree) == {"functional", "cupy.cuda"}
    assert len(CORE) > 30
    assert len(BACKENDS) > 15


@pytest.mark.parametrize("path", named(CORE))
def test_optshare_imports_no_backend_and_no_framework(path):
    found = tops(imported(ast.parse(path.read_text())))
    assert found & FRAMEWORKS == KERNELS.get(str(path.relative_to(ROOT)), set())
    assert {each for each in found if each.startswith("optshare_")} == set()


@pytest.mark.parametrize("path", named(CORE))
def test_optshare_names_no_backend_in_its_code(path):
    found = texts(ast.parse(path.read_text()))
    assert found & BACKEND_NAMES == NAMESAKES.get(str(path.relative_to(ROOT)), set())
    assert {each for each in found if each.startswith("optshare_") and "." in each} == set()


def test_only_the_demo_imports_what_the_demo_needs():
    users = {
        path.relative_to(ROOT).parts[1]
        for path in CORE
        if tops(imported(ast.parse(path.read_text()))) & EXTRAS
    }
    assert users <= {"demo", "__main__.py"}


@pytest.mark.parametrize("path", named(BACKENDS))
def test_a_bundled_backend_imports_of_optshare_only_extend(path):
    found = imported(ast.parse(path.read_text()))
    ours = {each for each in found if each.partition(".")[0] == "optshare"}
    assert {each for each in ours if each.split(".")[:2] != ["optshare", "extend"]} == set()


@pytest.mark.parametrize("path", named(p for p in BACKENDS if p.name == "plugin.py"))
def test_a_bundled_plugin_imports_nothing_else(path):
    assert tops(imported(ast.parse(path.read_text()))) == {"optshare"}


def test_every_bundled_backend_has_an_entry_point_and_nothing_else_has():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plugins = {f"{p.parent.name}.plugin" for p in BACKENDS if p.name == "plugin.py"}
    assert set(project["entry-points"]["optshare"].values()) == plugins


# -- a fresh interpreter --------------------------------------------------------------------


def fresh(code):
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={}
    )
    return json.loads(ran.stdout)


LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def test_importing_optshare_loads_no_plugin_and_no_framework():
    modules = fresh(f"import optshare; {LOADED}")
    unwanted = FRAMEWORKS | EXTRAS | {"optshare.demo", "optshare.testing"}
    assert {each for each in modules if each.startswith("optshare_")} == set()
    assert tops(modules) & unwanted == set()
    assert not any(each.startswith("optshare.demo") for each in modules)


def test_importing_optshare_scans_no_entry_points():
    scans = fresh(
        "import json\n"
        "from importlib import metadata\n"
        "scans = []\n"
        "def scanned(*args, **kwargs):\n"
        "    scans.append(1)\n"
        "    return ()\n"
        "metadata.entry_points = metadata.distributions = scanned\n"
        "import optshare, optshare.extend, optshare.__main__\n"
        "before = len(scans)\n"
        "from optshare import registry\n"
        "registry.report()\n"
        "print(json.dumps([before, len(scans)]))"
    )
    assert scans == [0, 1]


def test_making_a_model_loads_no_engine():
    modules = fresh(f"import optshare; optshare.Chain(optshare.Dense(2, 2), len); {LOADED}")
    assert {each for each in modules if each.startswith("optshare_")} == set()


def test_the_first_question_loads_the_descriptions_and_the_engine_that_is_asked_for():
    modules = fresh(
        f"import numpy, optshare; optshare.relu(numpy.ones(1)); {LOADED}",
    )
    assert {"optshare_tape.plugin", "optshare_functional.plugin", "optshare_tape.backend"} <= set(
        modules
    )
    assert tops(modules) & (FRAMEWORKS | EXTRAS) == set()


@pytest.mark.parametrize("plugin", ["optshare_tape.plugin", "optshare_functional.plugin"])
def test_a_description_needs_no_engine(plugin):
    name = plugin.partition(".")[0]
    modules = fresh(f"from optshare import registry\nregistry.descriptions(); {LOADED}")
    assert plugin in modules
    assert f"{name}.backend" not in modules


@pytest.mark.parametrize("framework", ["torch", "jax", "autograd"])
def test_a_description_needs_no_framework(framework):
    package = f"optshare_{framework}"
    code = f"from optshare import registry\nregistry.descriptions(); import {package}; {LOADED}"
    modules = fresh(code)
    assert f"{package}.plugin" in modules
    assert framework not in tops(modules)
