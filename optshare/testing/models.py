"""Level 5: layers and activations, written once, on this backend's arrays."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare import layers
from optshare.initializers import seed
from optshare.moving import to
from optshare.namespace.fallbacks import host_bernoulli
from optshare.optimizer import Optimizer
from optshare.rules import SGD
from optshare.testing.check import check, require_close
from optshare.testing.formulas import log_softmax
from optshare.testing.subject import Subject
from optshare.tree import params

MASKS = "Masks come from (seed, call), equal on every engine; there are none in prediction."
LAYERS = "A new backend gets every layer from its ops."


def _moved(subject: Subject, layer: Any) -> Any:
    return to(layer, subject.name)


def _data(subject: Subject, *shape: int) -> tuple[Any, Any]:
    host = np.random.default_rng(3).normal(size=shape)
    return host, subject.array(host)


@check("layer.dense", 5, LAYERS)
def _dense(subject: Subject) -> None:
    seed(0)
    layer = layers.Dense(4, 3, layers.tanh, dtype=np.float64)
    weight, bias = (subject.host(p.value) for p in params(layer))
    host, x = _data(subject, 5, 4)
    found = _moved(subject, layer)(x)
    require_close(subject.host(found), np.tanh(host @ weight + bias), "tanh(x @ weight + bias)")


@check("layer.chain", 5, LAYERS)
def _chain(subject: Subject) -> None:
    seed(0)
    model = layers.Chain(
        layers.Flatten(),
        layers.Dense(4, 3, layers.relu, dtype=np.float64),
        layers.Dense(3, 2, dtype=np.float64),
    )
    w1, b1, w2, b2 = (subject.host(p.value) for p in params(model))
    host, x = _data(subject, 5, 2, 2)
    hidden = np.maximum(host.reshape(5, 4) @ w1 + b1, 0)
    found = subject.host(_moved(subject, model)(x))
    require_close(found, hidden @ w2 + b2, "the output of two layers")
    key = params(model)[0]
    _, (g,) = subject.backend.gradient(lambda: subject.ops.sum(model(x)), [key])
    slope = (hidden > 0) * w2.sum(axis=1)
    require_close(subject.host(g), host.reshape(5, 4).T @ slope, "the gradient of the first weight")


@check("layer.dropout", 5, MASKS)
def _dropout(subject: Subject) -> None:
    layer, key = layers.Dropout(0.5, seed=7), subject.parameter(np.ones(6))
    require_close(subject.host(layer(key.value)), np.ones(6), "it acted in prediction")
    opt = Optimizer([key], SGD(lr=0.0))
    row = subject.array(np.arange(6.0))
    for call in range(2):
        loss = opt.step(lambda row: subject.ops.sum(layer(key.value) * row), row)
        mask = host_bernoulli((7, call), 0.5, (6,)) / 0.5
        require_close(float(loss), (mask * np.arange(6.0)).sum(), f"the mask of call {call}")


FORMULAS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softmax": lambda x: np.exp(log_softmax(x)),
    "log_softmax": log_softmax,
}


@check("activation", 5, LAYERS, cases={name: (name, fn) for name, fn in FORMULAS.items()})
def _activation(subject: Subject, name: str, formula: Callable[[Any], Any]) -> None:
    host, x = _data(subject, 3, 4)
    require_close(subject.host(getattr(layers, name)(x)), formula(host), f"{name}(x)")
