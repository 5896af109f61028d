"""The demo: one model, one optimizer, real digits, every installed engine."""

from optshare.demo.digits import Digits, load_digits
from optshare.demo.report import draw, table
from optshare.demo.training import EPOCHS, Run, deviation, train

__all__ = ["EPOCHS", "Digits", "Run", "deviation", "draw", "load_digits", "table", "train"]
