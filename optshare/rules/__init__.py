"""Update rules: each one's mathematics, written once."""

from optshare.kernels.expression import maximum, minimum, sign, sqrt, where
from optshare.orientation import Site
from optshare.rules.adabelief import AdaBelief
from optshare.rules.adagrad import Adadelta, Adagrad
from optshare.rules.adam import Adam, AdamW
from optshare.rules.adamax import AdaMax
from optshare.rules.array import ArrayRule
from optshare.rules.base import Rule
from optshare.rules.chain import OptimizerChain
from optshare.rules.lion import Lion
from optshare.rules.nadam import NAdam
from optshare.rules.oadam import OAdam
from optshare.rules.radam import RAdam
from optshare.rules.rmsprop import RMSProp
from optshare.rules.rprop import Rprop
from optshare.rules.sgd import SGD
from optshare.rules.yogi import Yogi

__all__ = [
    "SGD",
    "AdaBelief",
    "AdaMax",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "ArrayRule",
    "Lion",
    "NAdam",
    "OAdam",
    "OptimizerChain",
    "RAdam",
    "RMSProp",
    "Rprop",
    "Rule",
    "Site",
    "Yogi",
    "maximum",
    "minimum",
    "sign",
    "sqrt",
    "where",
]
