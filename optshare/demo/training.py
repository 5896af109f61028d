"""Training the shared model on one engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import optshare
from optshare import registry
from optshare.demo.digits import Digits, require

EPOCHS = 20
COMPARED_AFTER = 5
"""The epoch after which parameters are compared between engines."""
LR = 3e-3
BATCH = 32
SEED = 0

Snapshot = list[Any]


@dataclass(frozen=True)
class Run:
    """What one engine made of the model."""

    backend: str
    losses: list[float]
    """The mean training loss of each epoch."""
    accuracy: float
    """On the test examples, after the last epoch."""
    seconds: float
    compared: Snapshot
    """The parameters after `COMPARED_AFTER` epochs."""


def build() -> optshare.Chain:
    """The shared model, drawn from one seed."""
    optshare.seed(SEED)
    return optshare.Chain(
        optshare.Dense(64, 128, optshare.relu, dtype=np.float64),
        optshare.Dense(128, 10, dtype=np.float64),
    )


def train(
    backend: str,
    digits: Digits,
    epochs: int = EPOCHS,
    tick: Callable[[], object] = lambda: None,
    device: str | None = None,
) -> Run:
    """Train the model on one backend, and device; `tick` is called after each epoch."""
    model = optshare.to(build(), backend, device=device)
    where = {} if device is None else {"device": device}
    arrays = [registry.load(backend).ops.asarray(each, **where) for each in digits]
    train_x, train_y, test_x, test_y = arrays
    opt = optshare.Adam(model, lr=LR)
    order = np.random.default_rng(SEED)
    batches = optshare.minibatch(train_x, train_y, BATCH, shuffle=True, rng=order)

    def loss(x: Any, y: Any) -> Any:
        return optshare.nll(model(x), y)

    losses: list[float] = []
    compared: Snapshot = []
    started = time.perf_counter()
    with optshare.use(backend), _one_thread():
        for epoch in range(1, epochs + 1):
            steps = [float(opt.step(loss, x, y)) for x, y in batches]
            losses.append(float(np.mean(steps)))
            if epoch == min(COMPARED_AFTER, epochs):
                compared = [registry.host_copy(p.value) for p in optshare.params(model)]
            tick()
        seconds = time.perf_counter() - started
        accuracy = optshare.accuracy(model(test_x), test_y)
    return Run(backend, losses, accuracy, seconds, compared)


def _one_thread() -> Any:
    """A `with` of one thread for every library, so that their seconds compare."""
    return require("threadpoolctl").threadpool_limits(1)


def deviation(one: Snapshot, other: Snapshot, lr: float = LR) -> float:
    """The largest over all parameters of max|a - b| / max(max|a|, lr)."""
    deviations = [abs(a - b).max() / max(abs(a).max(), lr) for a, b in zip(one, other, strict=True)]
    return float(np.max(deviations))  # NaN where one of them is
