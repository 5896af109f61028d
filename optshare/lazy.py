"""Packages whose names are imported at their first use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(package: str, **modules: tuple[str, ...]) -> Callable[[str], Any]:
    """A module's `__getattr__` that imports names from its submodules when they are asked for.

    Args:
        package: the name of the package.
        modules: for each submodule, the names that it defines; its own name is the submodule.

    So a plugin module inside the package loads nothing of the engine.

    >>> get = lazy_exports("collections", abc=("Sized",))
    >>> get("Sized").__name__
    'Sized'
    """
    places = {name: module for module, names in modules.items() for name in names}

    def find(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{places[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
