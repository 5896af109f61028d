"""The door: finds the installed backends, loads them one at a time, and picks one by array type."""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from optshare.backend import Backend, Capabilities, seam_of
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
from optshare.plugins import installed_entry_points, loaded, said, scan

if TYPE_CHECKING:
    from importlib import metadata

VARIABLE = "OPTSHARE_BACKEND"


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
        self._scanned = self._scanning = False
        self._descriptions: dict[str, BackendDescription] = {}
        self._origins: dict[str, str] = {}
        self._backends: dict[str, Backend] = {}
        self._reasons: dict[str, str] = {}
        self._claims: dict[type, tuple[str, ...]] = {}
        self._natives: dict[type, tuple[str, ...]] = {}
        self._resolved: dict[tuple[str | None, tuple[type, ...]], Backend] = {}
        self._sole: dict[type | tuple[type, ...], Backend] = {}
        self.sole = self._sole.get
        """The backend of a type, or of several in a tuple, that no other claims, if it was
        resolved before."""
        self._chosen: Choice | None = None
        self._named: str | None = None
        self._asked = False
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
        if self._scanned or self._scanning:  # a plugin that asks while it is imported sees nothing
            return
        self._scanning = True
        try:
            found, self._reasons = scan(self._entry_points())
        finally:
            self._scanning = False
        self._descriptions = {name: each.description for name, each in found.items()}
        self._origins = {name: each.origin for name, each in found.items()}
        self._forget()
        self._scanned = True

    def _forget(self) -> None:
        self._claims.clear()
        self._natives.clear()
        self._resolved.clear()
        self._sole.clear()

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
                    self._backends[name] = loaded(description)
                except (Exception, SystemExit) as error:  # whatever a stranger's module raises
                    self._quarantine(name, f"{self._origins[name]}: {said(error)}")
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
        self._forget()

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
        chosen = self._still_chosen()
        return self._first() if chosen is None else chosen.name

    def _still_chosen(self) -> Choice | None:
        """The last `use` that no `with` has confined since."""
        while self._chosen is not None and self._chosen.confined:
            self._chosen = self._chosen.before
        if self._chosen is not None and self._chosen.use is not None and not self._chosen.use():
            self._chosen.before = None  # nobody can confine this one any more
        return self._chosen

    def _first(self) -> str | None:
        if not self._asked:
            named = os.environ.get(VARIABLE) or None
            try:
                if named is not None:
                    self.load(named)
            except BackendError as error:
                raise type(error)(f"{VARIABLE}={named}: {error}") from error
            self._named, self._asked = named, True
        return self._named

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
            if len(self._claiming(key[1])) == 1:
                self._sole[key[1][0] if len(key[1]) == 1 else key[1]] = found
        return found

    def _claiming(self, kinds: tuple[type, ...]) -> list[str]:
        """The names of the backends that claim all of some types."""
        return [
            name for name in self.descriptions() if all(name in self.claimants(k) for k in kinds)
        ]

    def _resolve(self, preferred: str | None, kinds: tuple[type, ...]) -> Backend:
        names = self._claiming(kinds)
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
            self._claims[kind] = self._naming(kind, "array_types")
        return self._claims[kind]

    def native_claimants(self, kind: type) -> tuple[str, ...]:
        """The names of the backends whose own models or parameters are of a type."""
        if kind not in self._natives:
            self._natives[kind] = self._naming(kind, "native_types")
        return self._natives[kind]

    def _naming(self, kind: type, field: str) -> tuple[str, ...]:
        """The backends that name a type, or a base of it, in a field of their descriptions."""
        dotted = {f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__}
        return tuple(
            name
            for name, each in self.descriptions().items()
            if not dotted.isdisjoint(getattr(each, field))
        )

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
        self._chosen = Choice(name, self._still_chosen())
        return Use(self._chosen, self._here)

    def recorder(self) -> Backend:
        """The preferred backend that records for a later backward pass."""
        preferred = self.preferred()
        if preferred is not None:
            self._require_recorder(preferred)
            return self.load(preferred)
        hosts = self.claimants(np.ndarray)
        for name in sorted(self.descriptions(), key=lambda each: each not in hosts):
            with suppress(BackendError):
                self._require_recorder(name)
                return self.load(name)
        raise CapabilityError("no installed backend declares 'accumulates_grad'")

    def _require_recorder(self, name: str) -> None:
        if not self.capabilities(name).accumulates_grad:
            raise CapabilityError(f"backend {name!r} does not declare 'accumulates_grad'")


class Choice:
    """A default of the process, and the one before it."""

    def __init__(self, name: str, before: Choice | None) -> None:
        self.name = name
        self.before = before
        self.confined = False
        """Whether a `with` has confined it, so that it is no default any more."""
        self.use: weakref.ref[Use] | None = None
        """What could confine it yet."""


class Use:
    """What `use(name)` returns: in force for the process, until a `with` confines it."""

    def __init__(self, choice: Choice, here: contextvars.ContextVar[str | None]) -> None:
        choice.use = weakref.ref(self)
        self._choice = choice
        self._here = here
        self._tokens: list[contextvars.Token[str | None]] = []

    def __enter__(self) -> Self:
        self._choice.confined = True
        self._tokens.append(self._here.set(self._choice.name))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._here.reset(self._tokens.pop())


_registry = Registry()
report = _registry.report
resolve = _registry.resolve
sole = _registry.sole
load = _registry.load
descriptions = _registry.descriptions
claimants = _registry.claimants
native_claimants = _registry.native_claimants
capabilities = _registry.capabilities
preferred = _registry.preferred
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


def host_copy(array: Any) -> np.ndarray[Any, Any]:
    """The numbers of an array of any engine, copied into NumPy's memory; bfloat16 as float32."""
    return seam_of(owner(array)).host_copy(array)
