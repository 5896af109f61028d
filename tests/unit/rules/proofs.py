"""Every rule in every dialect beside the framework's own: what is compared, and how far they part.

A proof is a dialect, a rule and the hyperparameters that both are given; all
others are each side's own defaults, and so is the learning rate at first.
"""

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

import optshare
from optshare import Optimizer, Parameter
from optshare.rules.dialects import DIALECTS, chosen
from tests.unit.closeness import deviation
from tests.unit.rules.frameworks import Hips, Keras, Optax, Torch, translated

SHAPES = ((5, 7), (), (0,))
STEPS = 18
RATES = {6: 0.1, 12: 0.02}
"""The learning rate from a step on."""
DECAY = {"weight_decay": 0.1}
EPS = {"eps": 1e-3}
BETAS = {"betas": (0.8, 0.9)}


class Proof(NamedTuple):
    """One comparison."""

    dialect: str
    rule: str
    given: dict[str, Any]
    theirs: str
    """The framework's name of the rule."""

    def __str__(self):
        given = ", ".join(f"{name}={value}" for name, value in self.given.items())
        return f"{self.dialect} {self.rule}({given})"


TORCH = [
    ("SGD", DECAY),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, **DECAY}),
    ("SGD", {"momentum": 0.9, "nesterov": True, **DECAY}),
    ("Adam", DECAY),
    ("Adam", {"amsgrad": True, **DECAY, **EPS}),
    ("Adam", {"decoupled_weight_decay": True, **DECAY}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, **DECAY, **EPS}),
    ("NAdam", {"momentum_decay": 0.1, **DECAY, **EPS}),
    ("NAdam", {"decoupled_weight_decay": True, **DECAY}),
    ("RAdam", {**DECAY, **EPS, **BETAS}),
    ("RAdam", {"decoupled_weight_decay": True, **DECAY}),
    ("AdaMax", DECAY),
    ("AdaMax", {**DECAY, **EPS, **BETAS}),
    ("RMSProp", DECAY),
    ("RMSProp", {"momentum": 0.9, "centered": True, **DECAY, **EPS}),
    ("Adagrad", DECAY),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5, **DECAY, **EPS}),
    ("Adadelta", DECAY),
    ("Adadelta", {"rho": 0.5, **DECAY, **EPS}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (0.005, 0.02)}),
]
KERAS = [
    ("SGD", DECAY),
    ("SGD", {"momentum": 0.9, **DECAY}),
    ("SGD", {"momentum": 0.9, "nesterov": True, **DECAY}),
    ("Adam", DECAY),
    ("Adam", {"amsgrad": True, **DECAY, **EPS}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, **DECAY, **EPS}),
    ("NAdam", {**DECAY}),
    ("NAdam", {**DECAY, **EPS, **BETAS}),
    ("AdaMax", DECAY),
    ("AdaMax", {**DECAY, **EPS, **BETAS}),
    ("RMSProp", DECAY),
    ("RMSProp", {"momentum": 0.9, "centered": True, **DECAY, **EPS}),
    ("Adagrad", DECAY),
    ("Adagrad", {"initial_accumulator_value": 0.5, **DECAY, **EPS}),
    ("Adadelta", DECAY),
    ("Adadelta", {"rho": 0.5, **DECAY, **EPS}),
    ("Lion", DECAY),
    ("Lion", BETAS),
]
OPTAX = [
    ("SGD", DECAY),
    ("SGD", {"momentum": 0.9, **DECAY}),
    ("SGD", {"momentum": 0.9, "nesterov": True, **DECAY}),
    ("Adam", DECAY),
    ("Adam", {"eps_root": 1e-3, **EPS}),
    ("Adam", {"amsgrad": True, **DECAY}),
    ("Adam", {"amsgrad": True, "eps_root": 1e-4, **BETAS}),
    ("AdamW", {}),
    ("AdamW", {"eps_root": 1e-3, **DECAY, **EPS}),
    ("NAdam", DECAY),
    ("NAdam", {**BETAS, **EPS}),
    ("NAdam", {"decoupled_weight_decay": True}),
    ("RAdam", DECAY),
    ("RAdam", {**BETAS, **EPS}),
    ("AdaMax", DECAY),
    ("AdaMax", {"decoupled_weight_decay": True, **EPS, **BETAS}),
    ("AdaBelief", DECAY),
    ("AdaBelief", {"eps_root": 1e-4, **EPS, **BETAS}),
    ("Yogi", DECAY),
    ("Yogi", {**EPS, **BETAS}),
    ("RMSProp", DECAY),
    ("RMSProp", {"momentum": 0.9, **DECAY, **EPS}),
    ("RMSProp", {"centered": True, **EPS}),
    ("Adagrad", DECAY),
    ("Adagrad", {"initial_accumulator_value": 0.5, **EPS}),
    ("Adadelta", DECAY),
    ("Adadelta", {"rho": 0.5, **EPS}),
    ("Lion", {}),
    ("Lion", {**DECAY, **BETAS}),
]
FLUX = [
    ("SGD", DECAY),
    ("SGD", {"momentum": 0.8, **DECAY}),
    ("SGD", {"nesterov": True, **DECAY}),
    ("SGD", {"nesterov": True, "momentum": 0.8}),
    ("Adam", DECAY),
    ("Adam", EPS),
    ("Adam", {"amsgrad": True, **DECAY}),
    ("Adam", {"amsgrad": True, **EPS, **BETAS}),
    ("AdamW", {}),
    ("AdamW", {**DECAY, **EPS}),
    ("AdamW", {"decay_without_lr": True, **DECAY}),
    ("NAdam", DECAY),
    ("NAdam", {**EPS, **BETAS}),
    ("RAdam", DECAY),
    ("RAdam", {**EPS, **BETAS}),
    ("AdaMax", DECAY),
    ("AdaMax", {**EPS, **BETAS}),
    ("AdaBelief", DECAY),
    ("AdaBelief", {**EPS, **BETAS}),
    ("OAdam", DECAY),
    ("OAdam", {**EPS, **BETAS}),
    ("RMSProp", DECAY),
    ("RMSProp", {"centered": True, **EPS}),
    ("Adagrad", DECAY),
    ("Adagrad", EPS),
    ("Adadelta", DECAY),
    ("Adadelta", {"rho": 0.5, **EPS}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.5)}),
]
KNET = [
    ("SGD", DECAY),
    ("SGD", {"momentum": 0.9, **DECAY}),
    ("SGD", {"nesterov": True, **DECAY}),
    ("Adam", DECAY),
    ("Adam", {**EPS, **BETAS}),
    ("RMSProp", DECAY),
    ("RMSProp", {"alpha": 0.5, **EPS}),
    ("Adagrad", DECAY),
    ("Adagrad", EPS),
    ("Adadelta", DECAY),
    ("Adadelta", {"rho": 0.5, **EPS}),
]
CHAINER = [
    ("SGD", DECAY),
    ("SGD", {"momentum": 0.8, **DECAY}),
    ("Adam", DECAY),
    ("Adam", {"amsgrad": True, **DECAY, **EPS, **BETAS}),
    ("AdamW", {}),
    ("AdamW", {**DECAY, **EPS}),
    ("RMSProp", DECAY),
    ("RMSProp", {"eps_in_root": True, **EPS}),
    ("RMSProp", {"centered": True, **DECAY}),
    ("RMSProp", {"centered": True, "momentum": 0.5, "alpha": 0.9, **EPS}),
    ("Adagrad", DECAY),
    ("Adagrad", EPS),
    ("Adadelta", DECAY),
    ("Adadelta", {"rho": 0.5, **EPS}),
]
THINC = [
    ("SGD", DECAY),
    ("Adam", DECAY),
    ("Adam", {**DECAY, **EPS, **BETAS}),
    ("AdamW", {}),
    ("AdamW", {**DECAY, **EPS}),
]
TABLES = {
    "torch": TORCH,
    "keras": KERAS,
    "optax": OPTAX,
    "flux": FLUX,
    "knet": KNET,
    "chainer": CHAINER,
    "thinc": THINC,
}
PROOFS = [
    Proof(dialect, rule, given, chosen(getattr(optshare, rule).rule, dialect, given).theirs)
    for dialect, cases in TABLES.items()
    for rule, given in cases
]
HIPS = [
    Proof("", "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.9, "dampen_first": True}, "sgd"),
    Proof("", "RMSProp", {"lr": 0.1, "alpha": 0.9, "initial_accumulator_value": 1.0}, "rmsprop"),
    Proof("", "Adam", {}, "adam"),
]
"""HIPS autograd's: options instead of a dialect, and nothing but values to compare."""

FRAMEWORKS = {"torch": Torch, "keras": Keras, "optax": Optax, "": Hips}
STATES = {
    "keras": {
        "SGD": {"momentum_buffer": "-momentums"},
        "RMSProp": {
            "square_avg": "velocities",
            "momentum_buffer": "momentums",
            "grad_avg": "average_gradients",
        },
        "AdaMax": {"exp_avg": "m", "exp_inf": "u"},
        "Adagrad": {"sum": "accumulators"},
        "Adadelta": {"square_avg": "accumulated_grads", "acc_delta": "accumulated_delta_vars"},
        "": {
            "exp_avg": "momentums",
            "exp_avg_sq": "velocities",
            "max_exp_avg_sq": "velocity_hats",
            "mu_product": "u_product",
        },
    },
    "optax": {
        "SGD": {"momentum_buffer": "trace"},
        "RMSProp": {"square_avg": "nu", "momentum_buffer": "-trace", "grad_avg": "mu"},
        "AdaMax": {"exp_avg": "mu", "exp_inf": "nu"},
        "AdaBelief": {"exp_avg": "mu", "exp_avg_var": "nu"},
        "Adagrad": {"sum": "sum_of_squares"},
        "Adadelta": {"square_avg": "e_g", "acc_delta": "e_x"},
        "": {"exp_avg": "mu", "exp_avg_sq": "nu", "max_exp_avg_sq": "nu_max"},
    },
}
"""Our names of a framework's state; `-` where it has the other sign."""
NOT_KEPT = {("optax", "NAdam"): {"mu_product"}}
"""State that the framework does not keep: a power of beta1."""


def begun(proof, start, lr):
    """The framework's own rule over a value, with the hyperparameters of a proof."""
    if proof.dialect in FRAMEWORKS:
        chooses = {"optax": ("amsgrad", "decoupled_weight_decay")}.get(proof.dialect, ())
        given = {name: each for name, each in proof.given.items() if name not in (*chooses, "lr")}
        return FRAMEWORKS[proof.dialect](proof.theirs, start, lr, given)
    by_hand = import_module(f"tests.unit.rules.by_hand.{proof.dialect}")
    given = dict(proof.given)
    if given.pop("decay_without_lr", False):
        given["couple"] = False
    whole = {name: given.pop(name) for name in ("betas", "etas") if name in given}
    pairs = whole if proof.dialect == "flux" else translated(whole, {})
    named = {by_hand.NAMES.get(name, name): each for name, each in (given | pairs).items()}
    named.pop(None, None)
    return getattr(by_hand, proof.theirs)(start, **named)


def gradient(step, shape):
    """Zero at step 3, absent at steps 0, 7 and 8, else random."""
    if step in (0, 7, 8):
        return None
    return np.random.default_rng(step).normal(size=shape) * (step != 3)


def ours(proof):
    """Our rule of a proof."""
    dialect = {"dialect": proof.dialect} if proof.dialect else {}
    return getattr(optshare, proof.rule)(**dialect, **proof.given)


def measured(proof):
    """The largest deviation of values and state, over steps and shapes."""
    return max(parting(proof, shape, ours(proof)) for shape in SHAPES)


def parting(proof, shape, rule):
    """The largest deviation of a rule from that of a proof, over steps."""
    torch.set_default_dtype(torch.float64)  # in which PyTorch keeps NAdam's product
    try:
        return max(_deviations(proof, shape, rule))
    finally:
        torch.set_default_dtype(torch.float32)


def _deviations(proof, shape, rule):
    start = np.random.default_rng(100).normal(size=shape)
    p = Parameter(start.copy())
    opt, lr = Optimizer([p], rule), rule.lr
    theirs = begun(proof, start, lr)
    changing = proof.dialect and theirs.lr is not None
    assert theirs.lr in (lr, None), proof
    found = [0.0]
    for step in range(STEPS):
        if changing and step in RATES:
            theirs.lr = lr = RATES[step]
            opt.adjust(lr=lr)
        g = gradient(step, shape)
        opt.update([g])
        theirs.update(g)
        found.append(deviation(theirs.value, p.value, lr))
    if proof.dialect:
        found += _of_state(proof, opt.state_for(p), theirs.state, lr)
    return found


def _of_state(proof, ours, theirs, lr):
    names = STATES.get(proof.dialect, {})
    names = names.get(proof.rule, names.get(""))
    for name, each in (ours.arrays | ours.scalars).items():
        if name in NOT_KEPT.get((proof.dialect, proof.rule), ()):
            continue
        at = names[name] if names else name
        kept = theirs[at.lstrip("-")]
        yield deviation(-kept if at.startswith("-") else kept, np.asarray(each), lr)


def missing():
    """The presets that no proof is about."""
    proven = {(proof.dialect, proof.rule, proof.theirs) for proof in PROOFS}
    known = {
        (dialect, rule, preset.theirs)
        for dialect, rules in DIALECTS.items()
        for rule, presets in rules.items()
        for preset in presets
        if not preset.missing
    }
    return known - proven
