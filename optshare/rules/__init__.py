"""Update rules: each one's mathematics, written once."""

from optshare.rules.adam import Adam, AdamW
from optshare.rules.base import Rule
from optshare.rules.expression import maximum, minimum, sign, sqrt, where
from optshare.rules.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Rule", "maximum", "minimum", "sign", "sqrt", "where"]
