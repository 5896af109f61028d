"""Packages whose names are imported at their first use, and packages that may not be there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
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


def installed(name: str) -> Any:
    """A package, imported at the first call; `None` if it is not installed.

    >>> installed("json").__name__, installed("no_such_package")
    ('json', None)
    """
    if name in sys.modules:
        return sys.modules[name]
    return import_module(name) if _is_there(name) else None


@cache
def _is_there(name: str) -> bool:
    return find_spec(name) is not None
