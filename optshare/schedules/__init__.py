"""Schedules: a hyperparameter's value as a function of the step, the optimizer's steps before."""

from optshare.schedules.base import Schedule
from optshare.schedules.combining import (
    Interpolate,
    Loop,
    Sequence,
    Shifted,
    Stretched,
    WarmUp,
)
from optshare.schedules.cycles import (
    OneCycle,
    Sine,
    Sine2,
    SineExp,
    Triangular,
    Triangular2,
    TriangularExp,
)
from optshare.schedules.decay import (
    Constant,
    Cosine,
    Exponential,
    Inverse,
    MultiStep,
    Polynomial,
    StepDecay,
)

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Interpolate",
    "Inverse",
    "Loop",
    "MultiStep",
    "OneCycle",
    "Polynomial",
    "Schedule",
    "Sequence",
    "Shifted",
    "Sine",
    "Sine2",
    "SineExp",
    "StepDecay",
    "Stretched",
    "Triangular",
    "Triangular2",
    "TriangularExp",
    "WarmUp",
]
