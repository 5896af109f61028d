"""The door: finds the installed backends, loads them one at a time, and picks one by array type."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pluggy

from optshare import hookspecs
from optshare.backend import Backend, Capabilities
from optshare.errors import (
    BackendError,
    CapabilityError,
    MixedBackendsError,
    UnavailableBackendError,
    UnclaimedArrayError,
    UnknownBackendError,
    choices,
)
from optshare.hookspecs import BackendDescription
from optshare.narrowing import is_sequence

if TYPE_CHECKING:
    from importlib import metadata

GROUP = "optshare"
VARIABLE = "OPTSHARE_BACKEND"
PROTOCOL = ("name", "ops", "params", "gradient", "update")


def installed_entry_points() -> Iterable[metadata.EntryPoint]:
    """The entry points of every installed distribution, in this group."""
    from importlib import metadata  # noqa: PLC0415 # half of what `import optshare` would cost

    return metadata.entry_points(group=GROUP)


class Registry:
    """The backends of one process; scans the entry points at the first question.

    A plugin that fails is quarantined: it is listed with its reason, and the
    others work.
    """

    def __init__(
        self, entry_points: Callable[[], Iterable[metadata.EntryPoint]] = installed_entry_points
    ) -> None:
        self._entry_points = entry_points
        self._lock = threading.RLock()
        self._scanned = False
        self._descriptions: dict[str, BackendDescription] = {}
        self._origins: dict[str, str] = {}
        self._backends: dict[str, Backend] = {}
        self._reasons: dict[str, str] = {}
        self._claims: dict[type, tuple[str, ...]] = {}
        self._resolved: dict[tuple[str | None, tuple[type, ...]], Backend] = {}
        self._chosen: Use | None = None
        self._here: contextvars.ContextVar[str | None] = contextvars.ContextVar(
            "backend", default=None
        )

    # -- what is there ---------------------------------------------------------------------

    def descriptions(self) -> dict[str, BackendDescription]:
        """The backends that described themselves, by name, the preferred first."""
        if not self._scanned:
            with self._lock:
                self._scan()
        return self._descriptions

    def reasons(self) -> dict[str, str]:
        """Why each unavailable backend is unavailable, by name."""
        self.descriptions()
        return self._reasons

    def _scan(self) -> None:
        if self._scanned:
            return
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        found: list[tuple[BackendDescription, str]] = []
        broken: list[tuple[str, str]] = []
        for entry in self._entry_points():
            try:
                found += [(each, _origin(entry)) for each in _described(manager, entry)]
            except (Exception, SystemExit) as error:  # whatever a stranger's module raises
                broken.append((entry.name, f"{_origin(entry)}: {_said(error)}"))
        for description, origin in sorted(found, key=lambda pair: -pair[0].priority):
            self._admit(description, origin)
        for name, reason in broken:
            taken = name in self._descriptions or name in self._reasons
            self._reasons[f"{name} of {reason.split(':')[0]}" if taken else name] = reason
        self._scanned = True

    def _admit(self, description: BackendDescription, origin: str) -> None:
        name = description.name
        other = self._origins.setdefault(name, origin)
        if other != origin or name in self._descriptions:
            self._descriptions.pop(name, None)
            self._reasons[name] = f"two plugins have this name: {other} and {origin}"
        elif name not in self._reasons:
            self._descriptions[name] = description

    def load(self, name: str) -> Backend:
        """The backend of a name, loaded once.

        Raises:
            UnknownBackendError: nothing installed has the name.
            UnavailableBackendError: it is installed, but does not load.
        """
        if name in self._backends:
            return self._backends[name]
        with self._lock:
            description = self._known(name)
            if name not in self._backends:
                try:
                    self._backends[name] = _loaded(description)
                except (Exception, SystemExit) as error:  # whatever a stranger's module raises
                    self._quarantine(name, f"{self._origins[name]}: {_said(error)}")
                    raise UnavailableBackendError(self._unavailable(name)) from error
            return self._backends[name]

    def _known(self, name: str) -> BackendDescription:
        known = self.descriptions()
        if name in self._reasons:
            raise UnavailableBackendError(self._unavailable(name))
        if name not in known:
            raise UnknownBackendError(
                f"no backend is called {name!r}; choices: {choices(known, name)}"
            )
        return known[name]

    def _quarantine(self, name: str, reason: str) -> None:
        self._reasons[name] = reason
        self._descriptions.pop(name, None)
        self._claims.clear()
        self._resolved.clear()

    def _unavailable(self, name: str) -> str:
        return f"backend {name!r} is unavailable: {self._reasons[name]}"

    def capabilities(self, name: str) -> Capabilities:
        """What a backend declares."""
        return self._known(name).capabilities

    def report(self) -> dict[str, Capabilities | str]:
        """Each backend's capabilities or, of one that cannot be used, the reason."""
        for name in list(self.descriptions()):
            try:
                self.load(name)
            except UnavailableBackendError:
                continue
        available = {name: each.capabilities for name, each in self._descriptions.items()}
        return {**available, **self._reasons}

    # -- which one -------------------------------------------------------------------------

    @property
    def default(self) -> str | None:
        """The process's default backend: the last `use(name)`, first `OPTSHARE_BACKEND`."""
        while self._chosen is not None and self._chosen.confined:
            self._chosen = self._chosen.before
        return self._first() if self._chosen is None else self._chosen.name

    def _first(self) -> str | None:
        named = os.environ.get(VARIABLE)
        if named and named not in self._backends:
            try:
                self.load(named)
            except BackendError as error:
                raise type(error)(f"{VARIABLE}={named}: {error}") from error
        return named or None

    def preferred(self) -> str | None:
        """The backend to prefer here: this context's, else the process's."""
        return self._here.get() or self.default

    def resolve(self, kinds: Iterable[type]) -> Backend:
        """The one backend that claims all these types of array.

        Raises:
            UnclaimedArrayError: nobody claims one of them.
            MixedBackendsError: no single backend claims them all.
        """
        key = (self.preferred(), tuple(kinds))
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = self._resolve(*key)
        return found

    def _resolve(self, preferred: str | None, kinds: tuple[type, ...]) -> Backend:
        names = [
            name for name in self.descriptions() if all(name in self.claimants(k) for k in kinds)
        ]
        for name in sorted(names, key=lambda each: each != preferred):
            try:
                return self.load(name)
            except UnavailableBackendError:
                if name == preferred:
                    raise
        raise self._nobody(kinds)

    def claimants(self, kind: type) -> tuple[str, ...]:
        """The names of the backends that claim a type of array, the preferred first."""
        if kind not in self._claims:
            dotted = {f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__}
            self._claims[kind] = tuple(
                name
                for name, each in self.descriptions().items()
                if not dotted.isdisjoint(each.array_types)
            )
        return self._claims[kind]

    def _nobody(self, kinds: tuple[type, ...]) -> BackendError:
        listed = f"Installed: {', '.join(self.descriptions()) or 'none'}"
        if self._reasons:
            broken = ", ".join(f"{name} ({why})" for name, why in self._reasons.items())
            listed += f"; unavailable: {broken}"
        for kind in kinds:
            if not self.claimants(kind):
                return UnclaimedArrayError(
                    f"No backend owns {kind.__name__}. {listed}. "
                    f"Pass an array, or install the backend that claims it."
                )
        if not kinds:
            return UnavailableBackendError(f"No backend can be used. {listed}.")
        owners = "; ".join(
            f"{kind.__module__}.{kind.__qualname__} ({', '.join(self.claimants(kind))})"
            for kind in dict.fromkeys(kinds)
        )
        return MixedBackendsError(f"One call received arrays of several backends: {owners}.")

    def use(self, name: str) -> Use:
        """Prefer a backend where several claim an array; see `optshare.use`."""
        self.load(name)
        self._chosen = Use(name, self._chosen, self._here)
        return self._chosen

    def recorder(self) -> Backend:
        """The preferred backend that records for a later backward pass."""
        preferred = self.preferred()
        if preferred is not None and not self.capabilities(preferred).accumulates_grad:
            raise CapabilityError(f"backend {preferred!r} does not declare 'accumulates_grad'")
        for name, each in self.descriptions().items():
            if each.capabilities.accumulates_grad and preferred in (None, name):
                return self.load(name)
        raise CapabilityError("no installed backend declares 'accumulates_grad'")


class Use:
    """What `use(name)` returns: in force for the process, until a `with` confines it."""

    def __init__(
        self, name: str, before: Use | None, here: contextvars.ContextVar[str | None]
    ) -> None:
        self.name = name
        self.before = before
        self.confined = False
        self._here = here
        self._tokens: list[contextvars.Token[str | None]] = []

    def __enter__(self) -> Self:
        self.confined = True
        self._tokens.append(self._here.set(self.name))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._here.reset(self._tokens.pop())


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
        raise BackendError("the plugin implements no hook optshare_backend")
    found = answers[0]
    return [_checked(each) for each in (found if is_sequence(found) else [found])]


def _checked(description: Any) -> BackendDescription:
    if not isinstance(description, BackendDescription):
        raise BackendError(f"optshare_backend returned {description!r}, not a BackendDescription")
    wrong = [each for each in description.array_types if not isinstance(each, str)]  # pyright: ignore[reportUnnecessaryIsInstance] # strangers' data
    if wrong:
        raise BackendError(f"array_types must be dotted strings, not {wrong[0]!r}")
    return description


def _loaded(description: BackendDescription) -> Backend:
    backend: Any = resolve_name(description.load)
    missing = [verb for verb in PROTOCOL if not hasattr(backend, verb)]
    if missing:
        raise BackendError(f"{description.load} lacks {', '.join(missing)}")
    return backend


def _origin(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


_registry = Registry()
report = _registry.report
resolve = _registry.resolve
load = _registry.load
descriptions = _registry.descriptions
recorder = _registry.recorder


def use(name: str) -> Use:
    """Prefer a backend where several claim an array.

    Called, it sets the process's default. As a context manager it prefers the
    backend in this context (thread or task) only.

    Raises:
        UnknownBackendError: no installed backend has the name.
        UnavailableBackendError: it is installed, but does not load.

    >>> import optshare
    >>> with optshare.use("functional"):
    ...     optshare.gradient(lambda x: x * x, 3.0)
    (array(6.),)
    """
    return _registry.use(name)


def owner(*arrays: Any) -> Backend:
    """The backend that claims all these arrays."""
    kinds: list[type] = [type(each) for each in arrays]
    return resolve(kinds)
