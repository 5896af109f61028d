"""Pieces around rules in chains, beside the frameworks' own compositions, in float64."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import optshare
from optshare import (
    EMA,
    L2,
    SGD,
    SWA,
    Adam,
    AdamW,
    AdaptiveClip,
    Centralisation,
    ClipNorm,
    ClipValue,
    Lookahead,
    Noise,
    Optimizer,
    OptimizerChain,
    Parameter,
    SignDecay,
    WeightDecay,
    registry,
)

SHAPES = pytest.mark.parametrize("shape", [(), (0,), (5, 7)], ids=str)
STEPS, CHANGE = 25, 10
LRS = [0.1] * CHANGE + [0.02] * (STEPS - CHANGE)


def gradient(at, shape):
    """Absent at 0, 5 and 6."""
    if at in (0, 5, 6):
        return None
    return np.random.default_rng(at).normal(size=shape)


def start_of(shape):
    return np.random.default_rng(100).normal(size=shape)


def runs(rule, shape, dtype=np.float64):
    """A parameter's value after each step that updated it, with lr changing in mid-run."""
    p = Parameter(start_of(shape).astype(dtype))
    opt = Optimizer([p], rule)
    for at, lr in enumerate(LRS):
        if at == CHANGE:
            opt.adjust(lr=lr)
        g = gradient(at, shape)
        opt.update([None if g is None else g.astype(dtype)])
        if g is not None:
            yield lr, g, p.value
    assert opt.state_for(p).t == STEPS - 3


OF_OPTAX = {
    "clipped adam": (
        OptimizerChain(ClipNorm(0.5), Adam(lr=0.1)),
        lambda lr: optax.chain(optax.clip_by_global_norm(0.5), optax.adam(lr)),
    ),
    "adam, then clipped": (
        OptimizerChain(Adam(lr=0.1), ClipValue(0.05)),
        lambda lr: optax.chain(optax.adam(lr), optax.clip(0.05)),
    ),
    "adaptively clipped momentum": (
        OptimizerChain(AdaptiveClip(0.1), SGD(lr=0.1, momentum=0.9)),
        lambda lr: optax.chain(optax.adaptive_grad_clip(0.1), optax.sgd(lr, momentum=0.9)),
    ),
    "centralised adam": (
        OptimizerChain(Centralisation(), Adam(lr=0.1)),
        lambda lr: optax.chain(optax.centralize(), optax.adam(lr)),
    ),
    "decay before": (
        OptimizerChain(L2(0.1), Adam(lr=0.1)),
        lambda lr: optax.chain(optax.add_decayed_weights(0.1), optax.adam(lr)),
    ),
    "decay after": (
        OptimizerChain(Adam(lr=0.1), WeightDecay(0.1)),
        lambda lr: optax.chain(optax.adam(lr), optax.add_decayed_weights(-0.1)),
    ),
    "many": (
        OptimizerChain(ClipValue(1.0), Centralisation(), L2(0.1), ClipNorm(0.5), SGD(lr=0.1)),
        lambda lr: optax.chain(
            optax.clip(1.0),
            optax.centralize(),
            optax.add_decayed_weights(0.1),
            optax.clip_by_global_norm(0.5),
            optax.sgd(lr),
        ),
    ),
}


@SHAPES
@pytest.mark.parametrize("case", OF_OPTAX)
def test_a_chain_is_optaxs(case, shape, deviation):
    rule, make = OF_OPTAX[case]
    transform = optax.inject_hyperparams(make)(lr=0.1)
    theirs = jnp.asarray(start_of(shape))
    state = transform.init(theirs)
    for lr, g, ours in runs(rule, shape):
        state.hyperparams["lr"] = jnp.asarray(lr)
        updates, state = transform.update(jnp.asarray(g), state, theirs)
        theirs = optax.apply_updates(theirs, updates)
        assert deviation(np.asarray(theirs), ours, lr) <= 1e-12


class Torch:
    """An optimizer of PyTorch's over one tensor, clipped if asked, with an average if asked."""

    def __init__(self, make, shape, limit=None, **average):
        self.module = torch.nn.Module()
        self.module.p = torch.nn.Parameter(torch.tensor(start_of(shape)))
        self.optimizer, self.limit = make(self.module.parameters(), lr=0.1), limit
        self.average = AveragedModel(self.module, **average)

    def update(self, g, lr):
        self.optimizer.param_groups[0]["lr"] = lr
        self.module.p.grad = torch.tensor(g)
        if self.limit is not None:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.limit)
        self.optimizer.step()
        self.average.update_parameters(self.module)

    @property
    def value(self):
        return self.module.p.detach().numpy()


@SHAPES
def test_clipping_before_adam_is_pytorchs(shape, deviation):
    theirs = Torch(torch.optim.Adam, shape, limit=0.5)
    for lr, g, ours in runs(OptimizerChain(ClipNorm(0.5, eps=1e-6), Adam(lr=0.1)), shape):
        theirs.update(g, lr)
        assert deviation(theirs.value, ours, lr) <= 1e-12


@pytest.mark.parametrize(
    ("piece", "average"),
    [(EMA(0.9), {"multi_avg_fn": get_ema_multi_avg_fn(0.9)}), (SWA(start=1), {})],
    ids=["ema", "swa"],
)
@SHAPES
def test_averages_behind_adam_are_pytorchs(piece, average, shape, deviation):
    theirs = Torch(torch.optim.Adam, shape, **average)
    p = Parameter(start_of(shape))
    opt = Optimizer([p], OptimizerChain(Adam(lr=0.1), piece))
    for at in range(STEPS):
        g = gradient(at, shape)
        opt.update([g])
        if g is None:
            continue
        theirs.update(g, 0.1)
        assert deviation(theirs.value, p.value, 0.1) <= 1e-12
        with opt.averaged():
            assert deviation(theirs.average.module.p.detach().numpy(), p.value, 0.1) <= 1e-12


@SHAPES
def test_lookahead_behind_adam_is_optaxs(shape, deviation):
    transform = optax.lookahead(optax.adam(0.1), 4, 0.5)
    params = optax.LookaheadParams.init_synced(jnp.asarray(start_of(shape)))
    state = transform.init(params)
    p = Parameter(start_of(shape))
    opt = Optimizer([p], OptimizerChain(Adam(lr=0.1), Lookahead(k=4)))
    for at in range(STEPS):
        g = gradient(at, shape)
        opt.update([g])
        if g is None:
            continue
        updates, state = transform.update(jnp.asarray(g), state, params)
        params = optax.apply_updates(params, updates)
        assert deviation(np.asarray(params.fast), p.value, 0.1) <= 1e-12
        with opt.averaged():
            assert deviation(np.asarray(params.slow), p.value, 0.1) <= 1e-12


@SHAPES
@pytest.mark.parametrize(
    ("chain", "alone"),
    [
        (OptimizerChain(L2(0.1), Adam(lr=0.1)), Adam(lr=0.1, weight_decay=0.1)),
        (OptimizerChain(L2(0.1), SGD(lr=0.1)), SGD(lr=0.1, weight_decay=0.1)),
    ],
    ids=["adam", "sgd"],
)
def test_l2_before_a_rule_is_its_own_weight_decay(chain, alone, shape):
    for (_, _, one), (_, _, other) in zip(runs(chain, shape), runs(alone, shape), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weight_decay_after_adam_times_lr_is_adamw(deviation):
    p, q = Parameter(start_of((5,))), Parameter(start_of((5,)))

    def lr(step):
        return LRS[step]

    chain = OptimizerChain(Adam(lr=lr), WeightDecay(lambda step: 0.5 * lr(step)))
    one, other = Optimizer([p], chain), Optimizer([q], AdamW(lr=lr, weight_decay=0.5))
    for at in range(STEPS):
        one.update([gradient(at, (5,))])
        other.update([gradient(at, (5,))])
        assert deviation(q.value, p.value) <= 1e-14


PIECES = {
    "before": OptimizerChain(
        Noise(0.1, seed=3),
        Centralisation(),
        ClipValue(2.0),
        ClipNorm(3.0),
        AdaptiveClip(0.5),
        L2(0.1),
        SignDecay(0.01),
        Adam(lr=0.1),
    ),
    "behind": OptimizerChain(Adam(lr=0.1), WeightDecay(0.01), Lookahead(k=3), EMA(0.9)),
    "swa": OptimizerChain(SGD(lr=0.1), SWA(start=3, every=2)),
    "schedule-free": OptimizerChain(ClipNorm(1.0), optshare.ScheduleFreeAdamW(lr=0.1)),
}
every_chain = pytest.mark.parametrize("chain", PIECES.values(), ids=PIECES)


def trained(chain, steps, engine="tape", dtype=np.float64):
    asarray = registry.load(engine).ops.asarray
    ps = [Parameter(asarray(start_of((3, 4)).astype(dtype))) for _ in range(2)]
    opt = Optimizer(ps, chain)
    for at in steps:
        opt.update([asarray(gradient(at, (3, 4)).astype(dtype)) for _ in ps])
    return opt, ps


@every_chain
@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_a_chain_has_the_same_numbers_on_every_engine(chain, engine, deviation):
    opt, ps = trained(chain, range(7, 17))
    other, qs = trained(chain, range(7, 17), engine)
    for p, q in zip(ps, qs, strict=True):
        assert deviation(p.value, np.asarray(q.value), 0.1) <= 1e-12
    if chain is PIECES["before"]:
        assert not np.array_equal(ps[0].value, ps[1].value)  # by their noise
        return
    with opt.averaged(), other.averaged():
        for p, q in zip(ps, qs, strict=True):
            assert deviation(p.value, np.asarray(q.value), 0.1) <= 1e-12


@every_chain
def test_a_chain_goes_on_bit_for_bit_after_a_restart(chain):
    opt, ps = trained(chain, range(7, 12))
    qs = [Parameter(p.value.copy()) for p in ps]
    other = Optimizer(qs, chain)
    other.load_state_dict(opt.state_dict())
    for at in range(12, 20):
        for each in (opt, other):
            each.update([gradient(at, (3, 4))] * 2)
    for p, q in zip(ps, qs, strict=True):
        np.testing.assert_array_equal(p.value, q.value)
    np.testing.assert_equal(opt.state_dict(), other.state_dict())


@every_chain
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_chain_in_low_precision_follows_double_precision(chain, dtype):
    _, ps = trained(chain, range(7, 10), dtype=dtype)
    _, qs = trained(chain, range(7, 10))
    for p, q in zip(ps, qs, strict=True):
        assert p.value.dtype == dtype
        np.testing.assert_allclose(p.value, q.value, rtol=0, atol=40 * np.finfo(dtype).eps)


@every_chain
def test_a_chain_leaves_gradients_as_they_are(chain):
    opt = Optimizer([Parameter(start_of((3, 4)))], chain)
    for at in range(7, 12):
        g = gradient(at, (3, 4))
        g.flags.writeable = False
        opt.update([g])
        np.testing.assert_array_equal(g, gradient(at, (3, 4)))


def test_the_last_average_of_a_chain_is_the_evaluation_value():
    p = Parameter(start_of((3,)))
    opt = Optimizer([p], OptimizerChain(SGD(lr=0.1), Lookahead(k=2), EMA(0.5)))
    for at in range(7, 12):
        opt.update([gradient(at, (3,))])
    with opt.averaged():
        np.testing.assert_array_equal(p.value, opt.state_for(p).average)


def test_a_chain_without_an_average_has_no_evaluation_values():
    opt = Optimizer([Parameter(start_of((3,)))], OptimizerChain(ClipNorm(1.0), SGD(lr=0.1)))
    with pytest.raises(optshare.errors.HyperparameterError, match="averages no values"):
        opt.swap_in()


@pytest.mark.parametrize("piece", [EMA(0.9), SWA(start=1), Lookahead()], ids=lambda each: each.kind)
def test_what_needs_the_whole_step_stands_last(piece):
    with pytest.raises(
        optshare.errors.HyperparameterError,
        match=f"{piece.kind} needs the whole step, so it stands last in a chain; Adam stands",
    ):
        OptimizerChain(piece, Adam())
    with pytest.raises(optshare.errors.HyperparameterError, match="WeightDecay stands behind it"):
        OptimizerChain(OptimizerChain(Adam(), piece), WeightDecay(0.1))


def test_layers_tell_the_units_of_their_weights():
    conv, dense = optshare.Conv((3, 3), 4, dtype=np.float64), optshare.Dense(5, 7, dtype=np.float64)
    optshare.build(conv, (1, 2, 6, 6))
    model = [conv, dense]
    before = {path: each.copy() for path, each in optshare.state_dict(model).items()}
    opt = Optimizer(model, OptimizerChain(Centralisation()))
    g = {path: np.random.default_rng(0).normal(size=each.shape) for path, each in before.items()}
    opt.update(list(g.values()))
    step = {path: before[path] - each for path, each in optshare.state_dict(model).items()}
    np.testing.assert_allclose(step["0.weight"].mean((1, 2, 3)), 0, atol=1e-15)
    np.testing.assert_allclose(step["1.weight"].mean(0), 0, atol=1e-15)
    np.testing.assert_allclose(step["1.bias"], g["1.bias"], rtol=0, atol=1e-15)
