"""Slow tests last; strangers' distributions, built where a test wants them; a fresh door."""

import sys
from importlib import metadata

import pytest

from optshare import registry

ENGINE = """
class Engine:
    name = {name!r}
    ops = None
    def params(self, model): return []
    def gradient(self, fn, keys, *args): return fn(*args), [None for _ in keys]
    def update(self, key, new_value): pass

backend = Engine()
"""

PLUGIN = """
from optshare.extend import BackendDescription, Capabilities, hookimpl

calls = []

@hookimpl
def optshare_backend():
    calls.append({name!r})
    return BackendDescription({arguments})
"""


class Site:
    """A folder on sys.path with real distributions in it."""

    def __init__(self, path):
        self.path = path

    def write(self, module, source):
        (self.path / f"{module}.py").write_text(source)

    def distribution(self, name, *entries, group="optshare"):
        """Metadata and entry points such as `acme = acme_plugin`."""
        folder = self.path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *entries, ""]))

    def plugin(self, name, source, entry=None):
        """A distribution whose one plugin is the module NAME_plugin."""
        module = f"{name}_plugin"
        self.write(module, source)
        self.distribution(name, f"{entry or name} = {module}")

    def backend(self, name, *, dist=None, engine=ENGINE, **description):
        """A distribution with a plugin and an engine; the description may be altered."""
        dist = dist or name
        given = {"name": name, "array_types": (f"{name}.Array",), "load": f"{dist}_engine:backend"}
        arguments = ", ".join(f"{key}={value!r}" for key, value in (given | description).items())
        self.plugin(dist, PLUGIN.format(name=name, arguments=arguments), entry=name)
        self.engine(name, dist, engine)

    def engine(self, name, dist=None, engine=ENGINE):
        """The module that holds a backend object."""
        self.write(f"{dist or name}_engine", engine.format(name=name))

    def entry_points(self):
        """Those of this folder only, in the order of the distributions' names."""
        found = metadata.distributions(path=[str(self.path)])
        ordered = sorted(found, key=lambda each: each.name)
        return [e for each in ordered for e in each.entry_points if e.group == "optshare"]

    def registry(self):
        """A door to the strangers of this folder alone."""
        return registry.Registry(self.entry_points)


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("OPTSHARE_BACKEND", raising=False)
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def replace_registry(monkeypatch):
    """Puts a registry in the place of the process's, with its methods, for one test."""

    def replace(fresh):
        methods = [
            name
            for name, each in vars(registry).items()
            if callable(each) and getattr(registry._registry, name, None) == each
        ]
        monkeypatch.setattr(registry, "_registry", fresh)
        for name in methods:
            monkeypatch.setattr(registry, name, getattr(fresh, name))
        return fresh

    return replace


@pytest.fixture
def door(site, replace_registry):
    """A fresh registry in the place of the process's, over all that is installed and `site`."""
    return replace_registry(registry.Registry())


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
