"""Level 4: rules, step by step, against their formulas written by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from optshare import rules
from optshare.optimizer import Optimizer
from optshare.testing import array_formulas
from optshare.testing import rule_formulas as formulas
from optshare.testing.check import check, require_close
from optshare.testing.rule_formulas import LR, Formula
from optshare.testing.subject import Subject

SAME = "The same model, data and rule have the same numbers on any backend."
STEPS = 10

RULES: dict[str, tuple[rules.Rule, Formula]] = {
    "sgd": (rules.SGD(lr=LR), formulas.sgd()),
    "sgd_momentum": (rules.SGD(lr=LR, momentum=0.9), formulas.sgd(0.9)),
    "sgd_nesterov": (
        rules.SGD(lr=LR, momentum=0.9, nesterov=True, weight_decay=0.1),
        formulas.sgd(0.9, 0.1, True),
    ),
    "sgd_dampening": (
        rules.SGD(lr=LR, momentum=0.9, dampening=0.25),
        formulas.sgd(0.9, new=0.75),
    ),
    "adam": (rules.Adam(lr=LR), formulas.adam()),
    "adam_weight_decay": (rules.Adam(lr=LR, weight_decay=0.1), formulas.adam(0.1)),
    "adam_amsgrad": (rules.Adam(lr=LR, amsgrad=True), formulas.adam(largest=True)),
    "adamw": (rules.AdamW(lr=LR, weight_decay=0.1), formulas.adam(0.0, 0.1)),
    "nadam": (rules.NAdam(lr=LR), formulas.nadam),
    "radam": (rules.RAdam(lr=LR), formulas.radam),
    "adamax": (rules.AdaMax(lr=LR), formulas.adamax),
    "adabelief": (rules.AdaBelief(lr=LR), formulas.adabelief),
    "oadam": (rules.OAdam(lr=LR), formulas.oadam),
    "yogi": (rules.Yogi(lr=LR), formulas.yogi),
    "rmsprop": (rules.RMSProp(lr=LR), formulas.rmsprop()),
    "rmsprop_centered": (
        rules.RMSProp(lr=LR, momentum=0.9, centered=True),
        formulas.rmsprop(0.9, True),
    ),
    "adagrad": (
        rules.Adagrad(lr=LR, lr_decay=0.1, initial_accumulator_value=0.5),
        formulas.adagrad,
    ),
    "adadelta": (rules.Adadelta(lr=LR), formulas.adadelta),
    "rprop": (rules.Rprop(lr=LR), formulas.rprop),
    "lion": (rules.Lion(lr=LR, weight_decay=0.1), formulas.lion),
    "lars": (rules.LARS(lr=LR, trust_coefficient=0.1, weight_decay=0.1), array_formulas.lars),
    "lamb": (rules.LAMB(lr=LR, weight_decay=0.1), array_formulas.lamb),
    "adafactor": (rules.Adafactor(lr=LR, weight_decay=0.1), array_formulas.adafactor),
    "muon": (rules.Muon(lr=LR, adjust_lr_fn="match_rms_adamw"), array_formulas.muon),
    "schedule_free_sgd": (
        rules.ScheduleFreeSGD(lr=LR, weight_decay=0.1),
        formulas.schedule_free_sgd,
    ),
    "schedule_free_adamw": (
        rules.ScheduleFreeAdamW(lr=LR, weight_decay=0.1, warmup_steps=4),
        formulas.schedule_free_adamw,
    ),
}


@check("rule", 4, SAME, cases=RULES)
def _trajectory(subject: Subject, rule: rules.Rule, formula: Formula) -> None:
    w = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
    key, memory = subject.parameter(w), defaultdict[str, float](float)
    opt = Optimizer({"w": key}, rule)
    for t in range(1, STEPS + 1):
        opt.step(lambda: subject.ops.sum(key.value * key.value * 0.5))
        w = formula(w, w, t, memory)
        require_close(subject.host(key.value), w, f"the value after step {t}")
