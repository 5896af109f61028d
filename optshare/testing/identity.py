"""Level 1: which parameters a model has, and which of them are one."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

from optshare.parameter import Parameter
from optshare.testing.check import check, require, require_equal
from optshare.testing.subject import Subject

PATHS = "`params` lists every path to every parameter of a model."
KEYS = "The key is whatever has the identity; a key at two paths is tied."


def _listed(subject: Subject, model: Any) -> list[tuple[str, Any]]:
    return list(subject.backend.params(model))


@check("params.paths", 1, PATHS)
def _paths(subject: Subject) -> None:
    one, other = subject.parameter([1.0]), subject.parameter([2.0])
    found = _listed(subject, {"encoder": [one, {"bias": other}]})
    require_equal([path for path, _ in found], ["encoder.0", "encoder.1.bias"], "other paths")
    require(found[0][1] is one and found[1][1] is other, "the keys are not the Parameters")


@check("params.order", 1, "Parameters come in the order of definition.")
def _order(subject: Subject) -> None:
    keys = [subject.parameter([float(i)]) for i in range(12)]
    found = [key for _, key in _listed(subject, keys)]
    require(all(a is b for a, b in zip(found, keys, strict=True)), "another order")


@check("params.attributes", 1, PATHS)
def _attributes(subject: Subject) -> None:
    class Slotted:
        __slots__ = ("weight",)

    inner = Slotted()
    inner.weight = subject.parameter([1.0])
    model = SimpleNamespace(name="model", inner=inner, plain=3, nothing=None)
    require_equal([path for path, _ in _listed(subject, model)], ["inner.weight"], "other paths")


@check("params.ties", 1, KEYS)
def _ties(subject: Subject) -> None:
    shared = subject.parameter([1.0])
    found = _listed(subject, {"encoder": shared, "decoder": [shared]})
    require_equal([path for path, _ in found], ["encoder", "decoder.0"], "an alias is missing")
    require(found[0][1] is found[1][1], "one Parameter at two paths has two keys")


@check("params.equal_values", 1, "Equal values never tie.")
def _equal_values(subject: Subject) -> None:
    one, other = (key for _, key in _listed(subject, [subject.parameter([1.0]) for _ in range(2)]))
    require(one is not other, "two Parameters of equal values have one key")


@check("params.cycles", 1, "The walk ends where a model holds itself.")
def _cycles(subject: Subject) -> None:
    model: dict[str, Any] = {"w": subject.parameter([1.0])}
    model["self"] = model
    require(("w", model["w"]) in [(p, k) for p, k in _listed(subject, model) if p == "w"], "lost")


@check("params.copies", 1, "A deep copy has new identities and keeps the ties.")
def _copies(subject: Subject) -> None:
    shared = subject.parameter([1.0])
    model = [shared, shared]
    first, second = (key for _, key in _listed(subject, copy.deepcopy(model)))
    require(first is second, "the copy lost the tie")
    require(first is not shared, "the copy has the old identity")


@check("params.frozen", 1, "Frozen parameters are listed too.")
def _frozen(subject: Subject) -> None:
    key = subject.parameter([1.0])
    key.frozen = True
    require_equal(len(_listed(subject, [key])), 1, "a frozen Parameter is missing")


@check("params.again", 1, "A key is the same object whenever it is asked for.")
def _again(subject: Subject) -> None:
    model = {"w": subject.parameter([1.0])}
    (_, one), (_, other) = (_listed(subject, model)[0] for _ in range(2))
    require(one is other, "the second question gave another key")


@check("params.none", 1, PATHS)
def _none(subject: Subject) -> None:
    require_equal(_listed(subject, {"a": 1, "b": "text"}), [], "parameters out of nothing")


@check("params.type", 1, KEYS)
def _type(subject: Subject) -> None:
    (_, key), *_ = _listed(subject, [subject.parameter([1.0])])
    require(isinstance(key, Parameter), "a shared model's key is no Parameter", got=type(key))
