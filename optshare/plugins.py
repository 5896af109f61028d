"""Strangers' modules: asked one at a time for descriptions, and never able to break the host."""

from __future__ import annotations

from collections.abc import Iterable
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from optshare import hookspecs
from optshare.backend import Backend, Capabilities
from optshare.errors import BackendError
from optshare.hookspecs import PROTOCOL, BackendDescription, version
from optshare.narrowing import is_sequence

if TYPE_CHECKING:
    from importlib import metadata

GROUP = "optshare"
MEMBERS = ("name", "ops", "params", "gradient", "update")
FIELDS: dict[str, type[Any]] = {
    "name": str,
    "load": str,
    "priority": int,
    "capabilities": Capabilities,
    "conformance": str,
    "expected_failures": dict,
}


class Found(NamedTuple):
    """A description, and the distribution that it came from."""

    description: BackendDescription
    origin: str


def installed_entry_points() -> Iterable[metadata.EntryPoint]:
    """The entry points of every installed distribution, in this group."""
    from importlib import metadata  # noqa: PLC0415 # half of what `import optshare` would cost

    return metadata.entry_points(group=GROUP)


def scan(entries: Iterable[metadata.EntryPoint]) -> tuple[dict[str, Found], dict[str, str]]:
    """The backends that described themselves, the preferred first, and why others are unavailable.

    Two plugins of one name are both refused.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    found: list[Found] = []
    broken: list[tuple[str, str, str]] = []
    for entry in entries:
        try:
            found += [Found(each, _origin(entry)) for each in _described(manager, entry)]
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises
            broken.append((entry.name, _origin(entry), said(error)))
    by_name: dict[str, list[Found]] = {}
    for each in sorted(found, key=lambda each: -each.description.priority):
        by_name.setdefault(each.description.name, []).append(each)
    reasons = {
        name: f"several plugins have this name: {' and '.join(each.origin for each in same)}"
        for name, same in by_name.items()
        if len(same) > 1
    }
    for name, origin, reason in broken:
        taken = name in by_name or name in reasons
        reasons[f"{name} of {origin}" if taken else name] = f"{origin}: {reason}"
    return {name: same[0] for name, same in by_name.items() if len(same) == 1}, reasons


def loaded(description: BackendDescription) -> Backend:
    """The backend object that a description names."""
    backend: Any = resolve_name(description.load)
    missing = [name for name in MEMBERS if not hasattr(backend, name)]
    if missing:
        raise BackendError(f"{description.load} lacks {', '.join(missing)}")
    return backend


def said(error: BaseException) -> str:
    """What an exception says, if it can."""
    try:
        text = str(error)
    except Exception:  # a stranger's __str__
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _described(
    manager: pluggy.PluginManager, entry: metadata.EntryPoint
) -> list[BackendDescription]:
    """Load one plugin and ask it alone for its descriptions."""
    plugin = entry.load()
    others = manager.get_plugins()
    manager.register(plugin, f"{_origin(entry)}:{entry.name}")
    try:
        ask = manager.subset_hook_caller("optshare_backend", remove_plugins=others)
        answers: list[Any] = ask()
    finally:
        manager.unregister(plugin)
    if not answers:
        raise BackendError("its hook optshare_backend is missing, or returned None")
    found = answers[0]
    return [_checked(each) for each in (found if is_sequence(found) else [found])]


def _checked(description: Any) -> BackendDescription:
    if not isinstance(description, BackendDescription):
        raise BackendError(f"optshare_backend returned {description!r}, not a BackendDescription")
    for name, kind in FIELDS.items():
        value = getattr(description, name)
        if not isinstance(value, kind) or value == "":
            raise BackendError(f"{name} of its description is {value!r}, not a {kind.__name__}")
    for name in ("array_types", "native_types"):
        types: Any = getattr(description, name)
        if not is_sequence(types) or not all(isinstance(each, str) for each in types):
            raise BackendError(f"{name} must be a tuple of dotted strings, not {types!r}")
    _require_reasons(description.expected_failures)
    try:
        newer = version(description.conformance) > version(PROTOCOL)
    except ValueError as error:
        raise BackendError(
            f"conformance of its description is {description.conformance!r}, no version such as "
            f"{PROTOCOL!r}"
        ) from error
    if newer:
        raise BackendError(
            f"it is written for protocol {description.conformance}, this optshare has {PROTOCOL}; "
            f"upgrade optshare-ad"
        )
    return description


def _require_reasons(expected: dict[Any, Any]) -> None:
    for each, reason in expected.items():
        if not (isinstance(each, str) and isinstance(reason, str) and reason):
            raise BackendError(
                f"expected_failures of its description has {each!r}: {reason!r}; it takes the id "
                f"of a check, and the reason as text"
            )


def _origin(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
