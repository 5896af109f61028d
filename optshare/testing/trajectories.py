"""Level 4: rules, step by step, against their formulas written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.optimizer import Optimizer
from optshare.rules import SGD, Adam, AdamW, Rule
from optshare.testing.check import check, require_close
from optshare.testing.subject import Subject

SAME = "The same model, data and rule have the same numbers on any backend."
STEPS = 10
LR = 0.1
Next = Callable[[Any, Any, int], Any]


def _sgd(momentum: float, decay: float, nesterov: bool) -> Callable[[], Next]:
    def start() -> Next:
        buffer = np.zeros(1)

        def step(w: Any, g: Any, t: int) -> Any:
            nonlocal buffer
            g = g + decay * w
            buffer = momentum * buffer + g
            return w - LR * (g + momentum * buffer if nesterov else buffer)

        return step

    return start


def _adam(decay: float, decoupled: float) -> Callable[[], Next]:
    def start() -> Next:
        first, second = np.zeros(1), np.zeros(1)

        def step(w: Any, g: Any, t: int) -> Any:
            nonlocal first, second
            g = g + decay * w
            first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
            w = w - LR * decoupled * w
            return w - LR * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)

        return step

    return start


RULES: dict[str, tuple[Rule, Callable[[], Next]]] = {
    "sgd": (SGD(lr=LR), _sgd(0.0, 0.0, False)),
    "sgd_momentum": (SGD(lr=LR, momentum=0.9), _sgd(0.9, 0.0, False)),
    "sgd_nesterov": (
        SGD(lr=LR, momentum=0.9, nesterov=True, weight_decay=0.1),
        _sgd(0.9, 0.1, True),
    ),
    "adam": (Adam(lr=LR), _adam(0.0, 0.0)),
    "adam_weight_decay": (Adam(lr=LR, weight_decay=0.1), _adam(0.1, 0.0)),
    "adamw": (AdamW(lr=LR, weight_decay=0.1), _adam(0.0, 0.1)),
}


@check("rule", 4, SAME, cases=RULES)
def _trajectory(subject: Subject, rule: Rule, start: Callable[[], Next]) -> None:
    w = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
    key, step = subject.parameter(w), start()
    opt = Optimizer({"w": key}, rule)
    for t in range(1, STEPS + 1):
        opt.step(lambda: subject.ops.sum(key.value * key.value * 0.5))
        w = step(w, w, t)
        require_close(subject.host(key.value), w, f"the value after step {t}")
