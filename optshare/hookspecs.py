"""The one hook by which backends enter, through the entry-point group `optshare`."""

from __future__ import annotations

from dataclasses import dataclass, field

import pluggy

from optshare.backend import Capabilities

PROTOCOL = "2026.1"
"""The version of the protocol, and of the conformance suite that holds backends to it."""


def version(text: str) -> tuple[int, ...]:
    """A version of the protocol as numbers, which compare; raises `ValueError` for other text.

    >>> version("2026.10") > version("2026.9")
    True
    """
    return tuple(map(int, text.split(".")))


hookspec = pluggy.HookspecMarker("optshare")
hookimpl = pluggy.HookimplMarker("optshare")


@dataclass(frozen=True, kw_only=True)
class BackendDescription:
    """What optshare needs to know of a backend before it loads it.

    Args:
        name: by which users call it.
        array_types: the types of array that it claims, as dotted strings
            (`"torch.Tensor"`), so that nothing is imported to compare them.
        load: the dotted place of the backend object, `"package.module:name"`.
        native_types: the framework's own models and parameters, as dotted strings;
            wherever a model holds one, the backend's `params` is asked for what is in it.
        priority: of several that claim a type, the highest is taken.
        capabilities: what the backend declares.
        conformance: the version of the conformance suite that it was written for.
        expected_failures: for the id of a check that the backend is known to fail,
            the reason, with a link; the check must then fail.
    """

    name: str
    array_types: tuple[str, ...]
    load: str
    native_types: tuple[str, ...] = ()
    priority: int = 0
    capabilities: Capabilities = field(default_factory=Capabilities)
    conformance: str = PROTOCOL
    expected_failures: dict[str, str] = field(default_factory=dict[str, str])


@hookspec
def optshare_backend() -> BackendDescription | list[BackendDescription]:
    """Describe the backends of this plugin; called once, and must not import the engine."""
    raise NotImplementedError  # a specification only
