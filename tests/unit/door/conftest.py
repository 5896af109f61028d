"""The process's door, opened anew for one test."""

import pytest

from optshare import registry


@pytest.fixture
def door(site, monkeypatch):
    """A fresh registry in the place of the process's, over all that is installed and `site`."""
    fresh = registry.Registry()
    monkeypatch.setattr(registry, "_registry", fresh)
    for name in (
        "report", "resolve", "load", "descriptions", "recorder", "claimants",
        "native_claimants", "capabilities", "preferred",
    ):  # fmt: skip
        monkeypatch.setattr(registry, name, getattr(fresh, name))
    return fresh


@pytest.fixture
def kind():
    """Makes an array type with a dotted name, such as `acme.Array`."""

    def make(dotted, *bases):
        module, _, name = dotted.rpartition(".")
        attributes = {"__module__": module, "shape": (2,), "dtype": "float64"}
        return type(name, bases or (), attributes)

    return make
