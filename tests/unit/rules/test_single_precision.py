"""Rules in torch's and optax's dialect in float32: 4 ulp of max(|p|, lr) a step, from equal state.

Muon computes in float32 here; PyTorch's bfloat16 has its own bound, in test_array_rules.py.
"""

import numpy as np
import pytest

from optshare import Optimizer, Parameter
from tests.unit.rules.proofs import PROOFS, begun, kept_by, ours, places

ULPS = 4
LR = 0.1
"""Below the values: at its default of 1 in optax Adafactor takes steps as large as they are, whose
dozen roundings on either side were 8 ulp together, and 5 from the step in float64 each."""
STEPS = 10
PAIRS = [proof for proof in PROOFS if proof.dialect in ("torch", "optax")]


def most(proof):
    """Of Muon, whose polynomial multiplies a rounding of a small singular value by a each time."""
    rule = ours(proof)
    if proof.rule != "Muon":
        return ULPS
    return ULPS * (1 + LR * rule.ns_coefficients[0] ** rule.ns_steps)


def ulps(before, mine, theirs, lr):
    """The largest distance, in the last place of the larger of value and lr."""
    unit = np.spacing(np.maximum(np.maximum(np.abs(before), np.abs(mine)), np.float32(lr)))
    return float(np.max(np.abs(mine - theirs) / unit, initial=0.0))


def equalled(state, theirs):
    """Make our state the framework's."""
    for name, kept in theirs:
        if name in state.scalars:
            state.scalars = {**state.scalars, name: float(kept)}
        else:
            state.arrays = {**state.arrays, name: np.array(kept)}


def farthest(proof, shape, scale):
    rule, rng = ours(proof).adjusted(lr=LR), np.random.default_rng(0)
    start = np.float32(rng.normal(size=shape))
    p = Parameter(start.copy())
    opt, theirs, found = Optimizer([p], rule), begun(proof, start, LR), []
    theirs.lr = LR
    for _ in range(STEPS):
        g = np.float32(scale * rng.normal(size=shape))
        before = np.array(p.value)
        opt.update([g])
        theirs.update(g)
        assert p.value.dtype == theirs.value.dtype == np.float32
        found.append(ulps(before, p.value, theirs.value, LR))
        p.value = np.array(theirs.value)
        equalled(opt.state_for(p), kept_by(proof, opt.state_for(p), theirs.state))
    return max(found)


@pytest.mark.parametrize("proof", PAIRS, ids=str)
def test_a_step_is_the_frameworks_to_four_units_in_the_last_place(proof):
    assert max(farthest(proof, *place) for place in places(proof.rule)) <= most(proof)
