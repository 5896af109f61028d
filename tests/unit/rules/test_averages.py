"""Lookahead, EMA and SWA beside the frameworks that have them, in float64."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from optshare import EMA, SWA, Lookahead, Optimizer, Parameter
from optshare.errors import HyperparameterError

SHAPES = pytest.mark.parametrize("shape", [(), (0,), (5, 7)], ids=str)
STEPS = 25


def step_of(at, shape):
    """What arrives at a piece that stands last: a step. Absent at 0, 5 and 6."""
    if at in (0, 5, 6):
        return None
    return np.random.default_rng(at).normal(size=shape)


def start_of(shape):
    return np.random.default_rng(100).normal(size=shape)


def averaged(opt, p):
    with opt.averaged():
        return np.array(p.value)


class Averaged:
    """PyTorch's averaged model over one tensor that descends by given steps."""

    def __init__(self, value, **options):
        self.module = torch.nn.Module()
        self.module.p = torch.nn.Parameter(torch.tensor(value))
        self.model = AveragedModel(self.module, **options)

    def descend(self, step):
        with torch.no_grad():
            self.module.p -= torch.tensor(step)

    def take(self):
        self.model.update_parameters(self.module)

    @property
    def average(self):
        return self.model.module.p.detach().numpy()


@SHAPES
@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (1, 0.2), (3, 0.9)])
def test_lookahead_is_optaxs(shape, k, alpha, deviation):
    p = Parameter(start_of(shape))
    opt = Optimizer([p], Lookahead(k=k, alpha=alpha))
    transform = optax.lookahead(optax.sgd(1.0), k, alpha)
    params = optax.LookaheadParams.init_synced(jnp.asarray(start_of(shape)))
    state = transform.init(params)
    for at in range(STEPS):
        g = step_of(at, shape)
        opt.update([g])
        if g is not None:
            updates, state = transform.update(jnp.asarray(g), state, params)
            params = optax.apply_updates(params, updates)
        assert deviation(np.asarray(params.fast), p.value) <= 1e-12, at
    assert deviation(np.asarray(params.slow), opt.state_for(p).slow) <= 1e-12
    np.testing.assert_array_equal(averaged(opt, p), opt.state_for(p).slow)


@SHAPES
def test_ema_is_pytorchs(shape, deviation):
    p = Parameter(start_of(shape))
    opt = Optimizer([p], EMA(0.9))
    theirs = Averaged(start_of(shape), multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for at in range(STEPS):
        g = step_of(at, shape)
        opt.update([g])
        if g is not None:
            theirs.descend(g)
            theirs.take()
            assert deviation(theirs.average, averaged(opt, p)) <= 1e-12, at
        np.testing.assert_array_equal(theirs.module.p.detach().numpy(), p.value)


@SHAPES
@pytest.mark.parametrize("decay", [0.9, 0.999, 0.0])
def test_a_debiased_ema_is_optaxs(shape, decay, deviation):
    p = Parameter(start_of(shape))
    opt = Optimizer([p], EMA(decay, debias=True))
    transform = optax.ema(decay, debias=True)
    state = transform.init(jnp.asarray(start_of(shape)))
    for at in range(STEPS):
        g = step_of(at, shape)
        opt.update([g])
        if g is not None:
            wanted, state = transform.update(jnp.asarray(p.value), state)
            assert deviation(np.asarray(wanted), averaged(opt, p)) <= 1e-12, at


@SHAPES
@pytest.mark.parametrize(("start", "every"), [(1, 1), (8, 1), (6, 4), (0, 3)])
def test_swa_is_pytorchs(shape, start, every, deviation):
    p = Parameter(start_of(shape))
    opt = Optimizer([p], SWA(start=start, every=every))
    theirs = Averaged(start_of(shape))
    if start == 0:
        theirs.take()
    for at in range(STEPS):
        g = step_of(at, shape)
        opt.update([g])
        if g is None:
            continue
        theirs.descend(g)
        t = opt.state_for(p).t
        if t >= start and (t - start) % every == 0:
            theirs.take()
        if t >= start:
            assert deviation(theirs.average, averaged(opt, p)) <= 1e-12, t
        else:
            np.testing.assert_array_equal(averaged(opt, p), p.value)


@pytest.mark.parametrize("piece", [Lookahead(k=3), EMA(0.9), EMA(0.9, debias=True), SWA(start=4)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_averages_of_low_precision_follow_double_precision(piece, dtype):
    found = {}
    for kind in (dtype, np.float64):
        p = Parameter(start_of((6,)).astype(dtype).astype(kind))
        opt = Optimizer([p], piece)
        for at in range(1, 12):
            opt.update([np.full(6, 0.125 * at)])
        found[kind] = averaged(opt, p)
        assert {each.dtype for each in opt.state_for(p).arrays.values()} == {
            np.dtype(np.float32 if kind == np.float16 else kind)
        }
    assert found[dtype].dtype == dtype
    scale = np.max(np.abs(found[np.float64]))
    assert np.max(np.abs(found[dtype] - found[np.float64])) <= 12 * np.finfo(dtype).eps * scale


@pytest.mark.parametrize("piece", [Lookahead(k=3), EMA(0.9), EMA(0.9, debias=True), SWA(start=4)])
def test_averages_go_on_bit_for_bit_after_a_restart(piece):
    p = Parameter(start_of((6,)))
    opt = Optimizer([p], piece)
    for at in range(1, 9):
        opt.update([step_of(at, (6,))])
    q = Parameter(p.value.copy())
    other = Optimizer([q], piece)
    other.load_state_dict(opt.state_dict())
    np.testing.assert_array_equal(averaged(other, q), averaged(opt, p))
    for at in range(9, 20):
        for each in (opt, other):
            each.update([step_of(at, (6,))])
    np.testing.assert_array_equal(q.value, p.value)
    np.testing.assert_array_equal(averaged(other, q), averaged(opt, p))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Lookahead(k=2.5), "Lookahead: k must be an integer, not 2.5"),
        (lambda: Lookahead(k=0), r"Lookahead: k must be in \[1, inf\), not 0"),
        (lambda: Lookahead(alpha=-0.1), r"Lookahead: alpha must be in \[0, 1\)"),
        (lambda: EMA(1.0), r"EMA: decay must be in \[0, 1\), not 1.0"),
        (lambda: SWA(start=-1), r"SWA: start must be in \[0, inf\)"),
        (lambda: SWA(start=lambda step: 3), "SWA: start must be an integer"),
        (lambda: SWA(start=1, every=0), r"SWA: every must be in \[1, inf\)"),
    ],
)
def test_numbers_out_of_range_are_refused(make, says):
    with pytest.raises(HyperparameterError, match=says):
        make()
