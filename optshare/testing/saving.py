"""Level 6: the state of an optimizer at rest, and moving."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np

from optshare.moving import to
from optshare.optimizer import Optimizer
from optshare.parameter import Parameter
from optshare.rules import Adam
from optshare.testing.check import check, require, require_close, require_equal
from optshare.testing.subject import Subject

STATE = "`state_dict` holds everything needed to go on later, by path, in plain arrays and numbers."


def _run(subject: Subject) -> tuple[Any, Optimizer]:
    key = subject.parameter([1.0, -2.0])
    return key, Optimizer({"w": key}, Adam(lr=0.1))


def _step(subject: Subject, key: Any, opt: Optimizer, times: int) -> None:
    for _ in range(times):
        opt.step(lambda: subject.ops.sum(key.value * key.value * key.value * key.value))


def _ten(subject: Subject) -> Any:
    key, opt = _run(subject)
    _step(subject, key, opt, 10)
    return subject.host(key.value)


@check("state.round_trip", 6, STATE)
def _round_trip(subject: Subject) -> None:
    key, opt = _run(subject)
    _step(subject, key, opt, 5)
    saved = pickle.loads(pickle.dumps(opt.state_dict()))  # our own
    other, fresh = _run(subject)
    subject.backend.update(other, key.value)
    fresh.load_state_dict(saved)
    _step(subject, other, fresh, 5)
    require_close(subject.host(other.value), _ten(subject), "the run that went on")


@check("state.plain", 6, STATE)
def _plain(subject: Subject) -> None:
    key, opt = _run(subject)
    _step(subject, key, opt, 1)
    saved = opt.state_dict()["parameters"]["w"]
    require_equal(saved["t"], 1, "the step count")
    for name, array in saved["arrays"].items():
        require(type(array) is np.ndarray, f"{name} is no array of NumPy's", got=type(array))


@check("state.copies", 6, "Copying (model, optimizer) together keeps the pairing.")
def _copies(subject: Subject) -> None:
    key, opt = _run(subject)
    _step(subject, key, opt, 5)
    other, copied = copy.deepcopy((key, opt))
    _step(subject, key, opt, 5)
    require_close(subject.host(key.value), _ten(subject), "the original")
    _step(subject, other, copied, 5)
    require_close(subject.host(other.value), _ten(subject), "the copy")


@check("state.moves", 6, "A model may move in mid-run and keep its state.")
def _moves(subject: Subject) -> None:
    key = Parameter([1.0, -2.0])
    opt = Optimizer({"w": key}, Adam(lr=0.1))
    w = np.array([1.0, -2.0])
    opt.update([4 * w**3])
    to([key], subject.name)
    opt.step(lambda: subject.ops.sum(key.value * key.value * key.value * key.value))
    moved = subject.host(key.value)
    other, whole = _run(subject)
    _step(subject, other, whole, 2)
    require_close(moved, subject.host(other.value), "the run that began elsewhere")
