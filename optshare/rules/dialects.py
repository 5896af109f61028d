"""Dialects: for each framework and rule, the options and defaults of the framework's own rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from optshare.errors import HyperparameterError, choices

Options = Mapping[str, Any]


class As(NamedTuple):
    """A default that is another hyperparameter's value."""

    name: str


class Preset(NamedTuple):
    """What a framework's rule is, in our options.

    `theirs` is the framework's name of it; `options` its formula and defaults, where
    they differ from ours; `when` the hyperparameters that choose it, if they are
    given and true; `missing` says why there are no options: the rule is not
    reproduced.
    """

    theirs: str
    options: Options = MappingProxyType({})
    when: tuple[str, ...] = ()
    missing: str = ""


DECOUPLED = {"decoupled_weight_decay": True}
WITHOUT_LR = {**DECOUPLED, "decay_without_lr": True}
AFTER_STEP = {**DECOUPLED, "decay_after_step": True}
KERAS_ADAM = {"eps": 1e-7, "eps_hat": True}
LR_IN_BUFFER = {"lr_in_buffer": True}

TORCH = {
    "SGD": [Preset("SGD")],
    "Adam": [Preset("Adam")],
    "AdamW": [Preset("AdamW")],
    "NAdam": [Preset("NAdam")],
    "RAdam": [Preset("RAdam")],
    "AdaMax": [Preset("Adamax")],
    "RMSProp": [Preset("RMSprop")],
    "Adagrad": [Preset("Adagrad")],
    "Adadelta": [Preset("Adadelta")],
    "Rprop": [Preset("Rprop")],
}

OPTAX = {
    "SGD": [Preset("sgd")],
    "Adam": [
        Preset("adam"),
        Preset("amsgrad", {"amsgrad_corrected": True}, when=("amsgrad",)),
    ],
    "AdamW": [Preset("adamw", {"weight_decay": 1e-4})],
    "NAdam": [
        Preset("nadam", {"constant_momentum": True}),
        Preset(
            "nadamw",
            {"constant_momentum": True, "weight_decay": 1e-4},
            when=("decoupled_weight_decay",),
        ),
    ],
    "RAdam": [Preset("radam", {"eps_hat": False, "threshold": math.nextafter(5.0, 0.0)})],
    "AdaMax": [
        Preset("adamax"),
        Preset("adamaxw", {"weight_decay": 1e-4}, when=("decoupled_weight_decay",)),
    ],
    "AdaBelief": [Preset("adabelief")],
    "Yogi": [Preset("yogi")],
    "RMSProp": [Preset("rmsprop", {"alpha": 0.9, "eps_in_root": True, "lr_in_buffer": True})],
    "Adagrad": [
        Preset("adagrad", {"initial_accumulator_value": 0.1, "eps": 1e-7, "eps_in_root": True})
    ],
    "Adadelta": [Preset("adadelta")],
    "Rprop": [
        Preset("rprop", missing="it takes every step one update late (optax pull request 1725)")
    ],
    "Lion": [Preset("lion", {"weight_decay": 1e-3})],
}

KERAS = {
    "SGD": [Preset("SGD", {"lr": 0.01, **LR_IN_BUFFER, **DECOUPLED})],
    "Adam": [Preset("Adam", {**KERAS_ADAM, **DECOUPLED})],
    "AdamW": [Preset("AdamW", {**KERAS_ADAM, "weight_decay": 4e-3})],
    "NAdam": [Preset("Nadam", {"lr": 1e-3, "eps": 1e-7, "momentum_decay": 1.0, **DECOUPLED})],
    "AdaMax": [Preset("Adamax", {"lr": 1e-3, "eps": 1e-7, "eps_in_max": False, **DECOUPLED})],
    "RMSProp": [
        Preset(
            "RMSprop",
            {
                "lr": 1e-3,
                "alpha": 0.9,
                "eps": 1e-7,
                "eps_in_root": True,
                "lr_in_buffer": True,
                **DECOUPLED,
            },
        )
    ],
    "Adagrad": [
        Preset(
            "Adagrad",
            {
                "lr": 1e-3,
                "initial_accumulator_value": 0.1,
                "eps": 1e-7,
                "eps_in_root": True,
                **DECOUPLED,
            },
        )
    ],
    "Adadelta": [Preset("Adadelta", {"lr": 1e-3, "rho": 0.95, "eps": 1e-7, **DECOUPLED})],
    "Lion": [Preset("Lion", {"lr": 1e-3})],
}

FLUX = {
    "SGD": [
        Preset("Descent", {"lr": 0.1}),
        Preset("Momentum", {"lr": 0.01, **LR_IN_BUFFER}, when=("momentum",)),
        Preset("Nesterov", {"momentum": 0.9, **LR_IN_BUFFER}, when=("nesterov",)),
    ],
    "Adam": [
        Preset("Adam"),
        Preset(
            "AMSGrad",
            {"bias_correction": False, "initial_accumulator_value": As("eps")},
            when=("amsgrad",),
        ),
    ],
    "AdamW": [Preset("AdamW", {"weight_decay": 0.0})],
    "NAdam": [Preset("NAdam", {"lr": 1e-3, "constant_momentum": True, "beta2_in_root": True})],
    "RAdam": [Preset("RAdam", {"eps_hat": False, "threshold": 4.0})],
    "AdaMax": [Preset("AdaMax", {"lr": 1e-3, "eps_in_max": False})],
    "AdaBelief": [Preset("AdaBelief", {"eps_root": As("eps")})],
    "OAdam": [Preset("OAdam", {"lr_in_buffer": True})],
    "RMSProp": [Preset("RMSProp", {"lr": 1e-3, "alpha": 0.9})],
    "Adagrad": [
        Preset("AdaGrad", {"lr": 0.1, "eps": 1e-8, "initial_accumulator_value": As("eps")})
    ],
    "Adadelta": [Preset("AdaDelta", {"eps": 1e-8})],
    "Rprop": [Preset("Rprop", {"lr": 1e-3})],
    "Lion": [Preset("Lion", missing="it swaps the weights of betas[1], which the paper does not")],
}

KNET = {
    "SGD": [
        Preset("SGD", {"lr": 0.1}),
        Preset("Momentum", {"lr": 0.05, **LR_IN_BUFFER}, when=("momentum",)),
        Preset("Nesterov", {"lr": 0.05, "momentum": 0.95, **LR_IN_BUFFER}, when=("nesterov",)),
    ],
    "Adam": [Preset("Adam")],
    "RMSProp": [Preset("Rmsprop", {"alpha": 0.9, "eps": 1e-6, "eps_in_root": True})],
    "Adagrad": [Preset("Adagrad", {"lr": 0.05, "eps": 1e-6, "eps_in_root": True})],
    "Adadelta": [Preset("Adadelta")],
}

CHAINER = {
    "SGD": [
        Preset("SGD", {"lr": 0.01}),
        Preset("MomentumSGD", {"lr": 0.01, **LR_IN_BUFFER}, when=("momentum",)),
        Preset(
            "NesterovAG",
            when=("nesterov",),
            missing="it takes the new velocity where Nesterov's formula has the old one",
        ),
    ],
    "Adam": [Preset("Adam", {"eps_hat": True, **WITHOUT_LR})],
    "AdamW": [Preset("AdamW", {"eps_hat": True, "weight_decay": 0.0, "decay_without_lr": True})],
    "RMSProp": [
        Preset("RMSprop"),
        Preset(
            "RMSpropGraves",
            {
                "lr": 1e-4,
                "alpha": 0.95,
                "momentum": 0.9,
                "eps": 1e-4,
                "eps_in_root": True,
                "lr_in_buffer": True,
            },
            when=("centered",),
        ),
    ],
    "Adagrad": [Preset("AdaGrad", {"lr": 1e-3, "eps": 1e-8})],
    "Adadelta": [Preset("AdaDelta", {"rho": 0.95})],
}

THINC = {
    "SGD": [Preset("SGD", AFTER_STEP)],
    "Adam": [Preset("Adam", {"eps_hat": True, **AFTER_STEP})],
    "AdamW": [Preset("Adam", {"eps_hat": True, "weight_decay": 0.0, "decay_after_step": True})],
    "RAdam": [Preset("RAdam", missing="it corrects as if there had been one step more")],
}

DIALECTS: dict[str, dict[str, list[Preset]]] = {
    "torch": TORCH,
    "keras": KERAS,
    "optax": OPTAX,
    "flux": FLUX,
    "knet": KNET,
    "chainer": CHAINER,
    "thinc": THINC,
}
"""Dialect, our name of the rule, its presets: the last one whose `when` is given is taken."""


def in_dialect(rule: type, dialect: str, given: Options) -> dict[str, Any]:
    """The hyperparameters of a rule in a dialect; those that are given win.

    Raises:
        HyperparameterError: an unknown dialect, or one that does not have the rule.

    >>> from optshare.rules import RMSProp
    >>> in_dialect(RMSProp, "knet", {"lr": 0.5})
    {'alpha': 0.9, 'eps': 1e-06, 'eps_in_root': True, 'lr': 0.5}
    """
    preset = chosen(rule, dialect, given)
    told: dict[str, Any] = {**preset.options, **given}
    for name, value in told.items():
        if isinstance(value, As):
            told[name] = told.get(value.name, getattr(rule, value.name))
    return told


def presets_of(rule: type) -> dict[str, list[Preset]]:
    """The presets of one of our rules, by dialect."""
    if rule.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return {}
    return {
        name: found[rule.__name__] for name, found in DIALECTS.items() if rule.__name__ in found
    }


def chosen(rule: type, dialect: str, given: Options) -> Preset:
    """The preset that the given hyperparameters choose."""
    presets, name = presets_of(rule), rule.__name__
    if str(dialect) not in DIALECTS:
        raise HyperparameterError(
            f"{name}: no dialect {dialect!r}; choices: {choices(DIALECTS, str(dialect))}"
        )
    if dialect not in presets:
        raise HyperparameterError(
            f"the dialect {dialect!r} has no {name}; dialects that have it: {choices(presets)}"
        )
    fitting = [each for each in presets[dialect] if all(map(given.get, each.when))]
    if fitting[-1].missing:
        raise HyperparameterError(
            f"the dialect {dialect!r} does not follow its {fitting[-1].theirs}: "
            f"{fitting[-1].missing}; give {name} the options that you want"
        )
    return fitting[-1]
