"""Before anything is timed, all contestants must have taken the steps of the paper's Adam."""

import numpy as np

from tests.benchmarks.agreement import UNIT, DisagreementError
from tests.benchmarks.updates.problem import BETAS, EPS, LR

SCALES = 1.0, -0.5, 0.25
"""The gradients of the steps, as multiples: equal ones would hide what the betas are."""
ROUNDINGS = 30


def bound(largest):
    """How far a float32 parameter may lie off after the steps.

    Each step rounds the parameter once, u |p|, and is itself off by its roundings and by what
    1 - beta2**t loses: beta2 is rounded, and cancels, in both the moment and its correction,
    2 u / (1 - beta2). With gradients of alike size a step is about lr.
    """
    return len(SCALES) * UNIT * (largest + LR * (ROUNDINGS + 2 / (1 - BETAS[1])))


def expected(parameters, gradients):
    """The parameters after the steps, in float64; the loss's gradients are the parameters."""
    return [_expected(*each) for each in zip(parameters, gradients or parameters, strict=True)]


def _expected(parameter, gradient):
    own = gradient is parameter
    p = parameter.astype(np.float64)
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, scale in enumerate(SCALES, start=1):
        g = p if own else scale * gradient.astype(np.float64)
        m = BETAS[0] * m + (1 - BETAS[0]) * g
        v = BETAS[1] * v + (1 - BETAS[1]) * g * g
        p = p - LR * (m / (1 - BETAS[0] ** t)) / (np.sqrt(v / (1 - BETAS[1] ** t)) + EPS)
    return p


def check(problem, contestants):
    """Raise `DisagreementError` unless all of Adam's contestants arrive where the paper's does."""
    for family, gradients in (("given", problem.gradients), ("loss", None)):
        those = {name: each for name, each in contestants.items() if each.family == family}
        if those:
            wanted = expected(problem.parameters, gradients)
            for name, each in those.items():
                take_steps(each, problem.gradients)
                require_close(name, each.values(), wanted)


def take_steps(contestant, gradients):
    """The steps with gradients of several scales, and the gradients as they were."""
    for scale in SCALES:
        if contestant.family == "given":
            contestant.give([each * np.float32(scale) for each in gradients])
        contestant.step()
    if contestant.family == "given":
        contestant.give(gradients)


def require_close(name, found, wanted):
    """Raise `DisagreementError` unless all arrays are as wanted, within rounding."""
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one.dtype != np.float32 or one.shape != other.shape:
            raise DisagreementError(
                f"{name}: parameter {place} is {one.dtype}{one.shape}, not float32{other.shape}"
            )
        far, allowed = np.max(np.abs(one - other)), bound(np.max(np.abs(other)))
        if not far <= allowed:
            raise DisagreementError(
                f"{name}: parameter {place} is {far:.1e} off; rounding explains {allowed:.1e}"
            )
