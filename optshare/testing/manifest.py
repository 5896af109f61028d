"""Level 0: the backend loads, and is what its description says."""

from __future__ import annotations

import numpy as np

from optshare import registry
from optshare.backend import BaseBackend
from optshare.testing.check import CHECKS, check, require, require_close, require_equal
from optshare.testing.subject import Subject, kind_of

ESSENTIAL = ("asarray", "ones_like", "zeros_like", "sum", "stop_gradient")
VERBS = {"vjp": "vjp", "jit": "compiled", "accumulates_grad": "record"}


@check("manifest.loads", 0, "A backend loads, or its plugin is listed with the reason.", dtype="")
def _loads(subject: Subject) -> None:
    """Nothing more: there is a subject."""


@check("manifest.expectations", 0, "An expected failure names a check of the suite.", dtype="")
def _expectations(subject: Subject) -> None:
    unknown = unknown_expectations(subject.name)
    require(not unknown, f"no checks are called {', '.join(unknown)}", got=unknown, wanted=[])


def unknown_expectations(name: str) -> list[str]:
    """The ids among a backend's expected failures that are no checks."""
    return [each for each in registry.descriptions()[name].expected_failures if each not in CHECKS]


@check("manifest.name", 0, "`backend.name` is the name in the description.", dtype="")
def _name(subject: Subject) -> None:
    require_equal(subject.backend.name, subject.name, "the backend has another name")


@check("manifest.verbs", 0, "Three verbs: `params`, `gradient`, `update`.", dtype="")
def _verbs(subject: Subject) -> None:
    for verb in ("params", "gradient", "update"):
        require(callable(getattr(subject.backend, verb, None)), f"{verb} cannot be called")


@check(
    "manifest.declares",
    0,
    "What a backend can do beyond the three verbs, it declares.",
    cases={name: (name, verb) for name, verb in VERBS.items()},
    dtype="",
)
def _declares(subject: Subject, capability: str, verb: str) -> None:
    if getattr(subject.capabilities, capability):
        offered = getattr(kind_of(subject.backend), verb, None)
        there = callable(offered) and offered is not getattr(BaseBackend, verb)
        require(there, f"{capability} is declared, but there is no {verb}")


@check("manifest.dtypes", 0, "A backend declares at least one dtype.", dtype="")
def _dtypes(subject: Subject) -> None:
    require(subject.capabilities.dtypes, "no dtype is declared, so nearly nothing is checked")


@check(
    "manifest.functions",
    0,
    "`backend.ops` is a Namespace: array functions, with nn and random.",
    cases={name: (name,) for name in ESSENTIAL},
    dtype="",
)
def _functions(subject: Subject, name: str) -> None:
    require(callable(getattr(subject.ops, name, None)), f"ops has no function {name}")


@check("manifest.claims", 0, "A backend claims the arrays that its ops makes.")
def _claims(subject: Subject) -> None:
    made = kind_of(subject.array([1.0]))
    known = registry.claimants(made)
    require(subject.name in known, f"it does not claim {made.__qualname__}", got=known)


@check(
    "manifest.dtype",
    0,
    "The declared dtypes are kept by `ops.asarray`.",
    cases={name: (name,) for name in ("float16", "float32", "float64", "complex64", "complex128")},
    dtype="",
)
def _dtype(subject: Subject, name: str) -> None:
    if name in subject.capabilities.dtypes:
        array = subject.array([0.5, 2.0], name)
        require(str(array.dtype).endswith(name), "another dtype came out", got=str(array.dtype))
        require_close(subject.host(array), np.array([0.5, 2.0]), "other numbers came out")
