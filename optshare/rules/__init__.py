"""Update rules: each one's mathematics, written once."""

from optshare.orientation import Site
from optshare.rules.adabelief import AdaBelief
from optshare.rules.adafactor import Adafactor
from optshare.rules.adagrad import Adadelta, Adagrad
from optshare.rules.adam import Adam, AdamW
from optshare.rules.adamax import AdaMax
from optshare.rules.array import ArrayRule
from optshare.rules.base import Rule
from optshare.rules.chain import OptimizerChain
from optshare.rules.expression import maximum, minimum, sign, sqrt, where
from optshare.rules.lion import Lion
from optshare.rules.muon import Muon
from optshare.rules.nadam import NAdam
from optshare.rules.oadam import OAdam
from optshare.rules.radam import RAdam
from optshare.rules.rmsprop import RMSProp
from optshare.rules.rprop import Rprop
from optshare.rules.sgd import SGD
from optshare.rules.trust import LAMB, LARS
from optshare.rules.yogi import Yogi

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "AdaBelief",
    "AdaMax",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "ArrayRule",
    "Lion",
    "Muon",
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
