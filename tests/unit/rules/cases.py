"""One table of rules with their options, for all tests that go through every rule."""

import optshare

AFTER_STEP = {"decoupled_weight_decay": True, "decay_after_step": True}
CASES = {
    "sgd with dampening": ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    "sgd with nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": ("Adam", {"weight_decay": 0.1}),
    "adam amsgrad": ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    "adamw amsgrad": ("AdamW", {"amsgrad": True}),
    "adamw": ("AdamW", {"weight_decay": 0.1}),
    "nadam": ("NAdam", {}),
    "nadam with L2": ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.1}),
    "nadam decoupled": ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "nadam without momentum": ("NAdam", {"betas": (0.0, 0.9), "momentum_decay": 0.0}),
    "radam": ("RAdam", {}),
    "radam with L2": ("RAdam", {"weight_decay": 0.1, "betas": (0.8, 0.9)}),
    "radam decoupled": ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "radam, never rectified": ("RAdam", {"betas": (0.9, 0.6)}),
    "radam without memory": ("RAdam", {"betas": (0.0, 0.0)}),
    "adamax": ("AdaMax", {}),
    "adamax with L2": ("AdaMax", {"weight_decay": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    "adabelief": ("AdaBelief", {}),
    "adabelief, larger eps": ("AdaBelief", {"betas": (0.8, 0.9), "eps": 1e-3, "eps_root": 1e-4}),
    "yogi": ("Yogi", {}),
    "yogi from zero": ("Yogi", {"initial_accumulator_value": 0.0, "betas": (0.8, 0.9)}),
    "oadam": ("OAdam", {}),
    "oadam, other betas": ("OAdam", {"betas": (0.9, 0.999), "eps": 1e-4}),
    "rmsprop": ("RMSProp", {}),
    "rmsprop with L2": ("RMSProp", {"weight_decay": 0.1, "alpha": 0.5, "eps": 1e-3}),
    "rmsprop centered": ("RMSProp", {"centered": True}),
    "rmsprop with momentum": ("RMSProp", {"momentum": 0.9}),
    "rmsprop with all": ("RMSProp", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    "adagrad": ("Adagrad", {}),
    "adagrad with all": (
        "Adagrad",
        {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
    ),
    "adadelta": ("Adadelta", {}),
    "adadelta with L2": ("Adadelta", {"weight_decay": 0.1, "rho": 0.5, "eps": 1e-3}),
    "rprop": ("Rprop", {}),
    "rprop, narrow": ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (0.05, 0.2)}),
    "lion": ("Lion", {}),
    "schedule-free sgd": ("ScheduleFreeSGD", {}),
    "schedule-free sgd with all": (
        "ScheduleFreeSGD",
        {"momentum": 0.7, "weight_decay": 0.1, "warmup_steps": 7, "weight_lr_power": 1.0, "r": 0.5},
    ),
    "schedule-free adamw": ("ScheduleFreeAdamW", {}),
    "schedule-free adamw with all": (
        "ScheduleFreeAdamW",
        {
            "betas": (0.8, 0.9),
            "weight_decay": 0.1,
            "warmup_steps": 7,
            "weight_lr_power": 0.0,
            "r": 1.0,
            "eps": 1e-3,
        },
    ),
    "lion with decay": ("Lion", {"weight_decay": 0.1, "betas": (0.5, 0.8)}),
}

VARIANTS = {
    "sgd, lr in the buffer": ("SGD", {"momentum": 0.9, "lr_in_buffer": True, "weight_decay": 0.1}),
    "sgd nesterov, lr in the buffer": (
        "SGD",
        {"momentum": 0.9, "lr_in_buffer": True, "nesterov": True},
    ),
    "adam eps-hat": ("Adam", {"eps_hat": True, "eps": 1e-3}),
    "amsgrad eps-hat": ("Adam", {"eps_hat": True, "amsgrad": True, "eps": 1e-3}),
    "adam eps-root": ("Adam", {"eps_root": 1e-3}),
    "amsgrad corrected": (
        "Adam",
        {"amsgrad": True, "amsgrad_corrected": True, "betas": (0.8, 0.9), "eps_root": 1e-4},
    ),
    "rmsprop of optax": (
        "RMSProp",
        {"momentum": 0.9, "eps_in_root": True, "lr_in_buffer": True, "eps": 1e-3},
    ),
    "rmsprop centered of optax": ("RMSProp", {"eps_in_root": True, "centered": True, "eps": 1e-3}),
    "adagrad of optax": (
        "Adagrad",
        {"eps_in_root": True, "eps": 1e-3, "initial_accumulator_value": 0.1},
    ),
    "sgd as an average": ("SGD", {"momentum": 0.9, "dampening": 0.9, "dampen_first": True}),
    "sgd decoupled after the step": ("SGD", {"momentum": 0.9, "weight_decay": 0.1, **AFTER_STEP}),
    "amsgrad of flux": (
        "Adam",
        {"amsgrad": True, "bias_correction": False, "initial_accumulator_value": 1e-3},
    ),
    "adamw of chainer": ("AdamW", {"eps_hat": True, "decay_without_lr": True}),
    "nadam of optax": ("NAdam", {"constant_momentum": True}),
    "nadam of flux": ("NAdam", {"constant_momentum": True, "beta2_in_root": True}),
    "radam of flux": ("RAdam", {"eps_hat": False, "threshold": 4.0, "betas": (0.8, 0.9)}),
    "adamax of keras": ("AdaMax", {"eps_in_max": False, "eps": 1e-3}),
    "oadam of flux": ("OAdam", {"lr_in_buffer": True}),
    "rmsprop from one": ("RMSProp", {"initial_accumulator_value": 1.0}),
    "adabelief with decay": ("AdaBelief", {"weight_decay": 0.1}),
    "yogi decoupled": ("Yogi", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "oadam with decay": ("OAdam", {"weight_decay": 0.1}),
    "lion with L2": ("Lion", {"weight_decay": 0.1, "decoupled_weight_decay": False}),
}
"""The formulas of other frameworks."""

CASES |= VARIANTS

ARRAY_CASES = {
    "lars": ("LARS", {"trust_coefficient": 0.1, "weight_decay": 0.1}),
    "lars nesterov": ("LARS", {"trust_coefficient": 0.1, "nesterov": True, "joint_norm": True}),
    "lamb": ("LAMB", {"weight_decay": 0.1}),
    "lamb decoupled": ("LAMB", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "adafactor": ("Adafactor", {"weight_decay": 0.1}),
    "adafactor whole": ("Adafactor", {"factored_from": 100, "eps": (1e-30, 1e-3)}),
    "adafactor of optax": (
        "Adafactor",
        {
            "eps": (1e-30, 1e-3),
            "eps_added": True,
            "relative_step": False,
            "largest_axes": True,
            "decay_times_lr": False,
            "weight_decay": 0.01,
        },
    ),
    "muon": ("Muon", {}),
    "muon of keras": ("Muon", {"buffer": "sum", "adjust_lr_fn": "match_rms_adamw"}),
    "muon of optax": ("Muon", {"buffer": "corrected", "eps_added": True, "layout": "out_in"}),
}
"""Rules that see the whole array, here a matrix."""


def made(case, **changes):
    """The unbound rule of a case."""
    name, options = (CASES | ARRAY_CASES)[case]
    return getattr(optshare, name)(**options, **changes)
