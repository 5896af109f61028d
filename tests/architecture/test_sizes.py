"""Files stay short, and everything public is documented."""

import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 400
LONGER = {}  # path: the reason why it is longer

PUBLIC = ["optshare", "optshare.extend", "optshare_tape", "optshare_functional"]


def lines():
    for folder in ("optshare", "backends"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), len(path.read_text().splitlines())


def names():
    return [(module, name) for module in PUBLIC for name in importlib.import_module(module).__all__]


def test_no_file_is_too_long():
    found = dict(lines())
    assert len(found) > 50
    assert {path: n for path, n in found.items() if n > LIMIT and path not in LONGER} == {}


def test_a_reason_to_be_longer_is_given_only_where_it_is_needed():
    found = dict(lines())
    assert [path for path in LONGER if found.get(path, 0) <= LIMIT] == []


def test_every_file_says_what_it_is_for():
    for path, _ in lines():
        first = (ROOT / path).read_text().lstrip()
        assert first.startswith('"""'), path


@pytest.mark.parametrize(("module", "name"), names())
def test_a_public_name_has_a_docstring_of_its_own(module, name):
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, type) or inspect.isfunction(thing) or hasattr(thing, "__wrapped__"):
        said = inspect.cleandoc(thing.__doc__ or "")
        assert len(said.split()) >= 3, f"{module}.{name} has no docstring"
        if isinstance(thing, type):
            assert all(thing.__doc__ != base.__doc__ for base in thing.__mro__[1:])


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_there_and_listed_once(module):
    listed = importlib.import_module(module).__all__
    assert len(listed) == len(set(listed))
    assert all(hasattr(importlib.import_module(module), name) for name in listed)
    assert not [name for name in listed if name.startswith("_")]


@pytest.mark.parametrize("module", PUBLIC)
def test_public_methods_have_docstrings(module):
    package = module.partition(".")[0]
    for name in importlib.import_module(module).__all__:
        thing = getattr(importlib.import_module(module), name)
        if not (isinstance(thing, type) and thing.__module__.partition(".")[0] == package):
            continue
        bare = [
            f"{name}.{each}"
            for each, member in vars(thing).items()
            if not each.startswith("_") and inspect.isfunction(member) and not member.__doc__
        ]
        assert bare == []


def test_every_package_is_typed():
    packages = [ROOT / "optshare", *(p for p in (ROOT / "backends").iterdir() if p.is_dir())]
    assert [p.name for p in packages if not (p / "py.typed").exists()] == []
