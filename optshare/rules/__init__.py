"""Update rules: each one's mathematics, written once."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from optshare.kernels.expression import maximum, minimum, sign, sqrt, squared, where
from optshare.lazy import lazy_exports as _lazy_exports
from optshare.orientation import Site
from optshare.rules.array import ArrayRule
from optshare.rules.base import Rule
from optshare.rules.chain import OptimizerChain

if _TYPE_CHECKING:
    from optshare.rules.adabelief import AdaBelief
    from optshare.rules.adafactor import Adafactor
    from optshare.rules.adagrad import Adadelta, Adagrad
    from optshare.rules.adam import Adam, AdamW
    from optshare.rules.adamax import AdaMax
    from optshare.rules.amsgrad import AMSGrad
    from optshare.rules.averages import EMA, SWA
    from optshare.rules.centralisation import Centralisation
    from optshare.rules.clipping import AdaptiveClip, ClipNorm, ClipValue
    from optshare.rules.lion import Lion
    from optshare.rules.lookahead import Lookahead
    from optshare.rules.muon import Muon
    from optshare.rules.nadam import NAdam
    from optshare.rules.noise import Noise
    from optshare.rules.oadam import OAdam
    from optshare.rules.radam import RAdam
    from optshare.rules.regularisation import L2, SignDecay, WeightDecay
    from optshare.rules.rmsprop import RMSProp
    from optshare.rules.rprop import Rprop
    from optshare.rules.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
    from optshare.rules.sgd import SGD
    from optshare.rules.trust import LAMB, LARS
    from optshare.rules.yogi import Yogi

__getattr__ = _lazy_exports(
    __name__,
    adabelief=("AdaBelief",),
    adafactor=("Adafactor",),
    adagrad=(
        "Adadelta",
        "Adagrad",
    ),
    adam=(
        "Adam",
        "AdamW",
    ),
    adamax=("AdaMax",),
    averages=(
        "EMA",
        "SWA",
    ),
    centralisation=("Centralisation",),
    clipping=(
        "AdaptiveClip",
        "ClipNorm",
        "ClipValue",
    ),
    lion=("Lion",),
    lookahead=("Lookahead",),
    muon=("Muon",),
    amsgrad=("AMSGrad",),
    nadam=("NAdam",),
    noise=("Noise",),
    oadam=("OAdam",),
    radam=("RAdam",),
    regularisation=(
        "L2",
        "SignDecay",
        "WeightDecay",
    ),
    rmsprop=("RMSProp",),
    rprop=("Rprop",),
    schedule_free=(
        "ScheduleFreeAdamW",
        "ScheduleFreeSGD",
    ),
    sgd=("SGD",),
    trust=(
        "LAMB",
        "LARS",
    ),
    yogi=("Yogi",),
)

__all__ = [
    "EMA",
    "L2",
    "LAMB",
    "LARS",
    "SGD",
    "SWA",
    "AMSGrad",
    "AdaBelief",
    "AdaMax",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdaptiveClip",
    "ArrayRule",
    "Centralisation",
    "ClipNorm",
    "ClipValue",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "Noise",
    "OAdam",
    "OptimizerChain",
    "RAdam",
    "RMSProp",
    "Rprop",
    "Rule",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SignDecay",
    "Site",
    "WeightDecay",
    "Yogi",
    "maximum",
    "minimum",
    "sign",
    "sqrt",
    "squared",
    "where",
]
