"""Compiled, looped, batched and differentiated updates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
from optshare import SGD, Adam, AdamW, NAdam, OptimizerChain
from optshare.errors import HyperparameterError
from optshare.schedules import Cosine

START = {"w": np.array([1.0, -2.0, 3.0]), "b": np.array(0.5)}
CHAIN = OptimizerChain(NAdam(lr=0.1), SGD(lr=1.0, momentum=0.5, dampening=0.1))


def slopes(params):
    return {"w": params["w"] ** 3, "b": 2 * params["b"]}


def stepped(rule, params, steps, **changes):
    state = rule.init(params)
    for _ in range(steps):
        params, state = rule.update(slopes(params), state, params, **changes)
    return params, state


def leaves(params):
    return np.array([*params["w"], params["b"]])


def test_a_compiled_update_is_compiled_once():
    traces = []

    @jax.jit
    def step(params, state, lr):
        traces.append(1)
        return CHAIN.update(slopes(params), state, params, **{"0.lr": lr})

    params = jax.tree.map(jnp.asarray, START)
    state = CHAIN.init(params)
    for at in range(6):
        params, state = step(params, state, 0.1 / (1 + at))
    assert len(traces) == 1
    wanted = OptimizerChain(NAdam(lr=lambda at: 0.1 / (1 + at)), *CHAIN.pieces[1:])
    np.testing.assert_allclose(leaves(params), leaves(stepped(wanted, START, 6)[0]), rtol=1e-12)
    assert state["step"] == state["parameters"]["w"]["t"] == 6
    assert jnp.issubdtype(state["parameters"]["w"]["t"].dtype, jnp.integer)


def test_a_scanned_loop_is_the_loop():
    rule = optshare.RAdam(lr=lambda step: 0.05 * jnp.exp(-step / 20), betas=(0.9, 0.8))

    @jax.jit
    def trained(params):
        def step(carry, _):
            return rule.update(slopes(carry[0]), carry[1], carry[0]), None

        return jax.lax.scan(step, (params, rule.init(params)), length=20)[0]

    params, state = trained(jax.tree.map(jnp.asarray, START))
    by_hand = rule.adjusted(lr=lambda step: 0.05 * np.exp(-step / 20))
    np.testing.assert_allclose(leaves(params), leaves(stepped(by_hand, START, 20)[0]), rtol=1e-12)
    assert state["step"] == 20


def test_a_batch_of_parameter_sets_is_updated_at_once():
    batch = {"w": jnp.array([START["w"], 2 * START["w"]]), "b": jnp.array([0.5, 1.0])}
    state = jax.vmap(CHAIN.init)(batch)
    for _ in range(3):
        batch, state = jax.vmap(CHAIN.update)(slopes(batch), state, batch)
    second = {name: 2 * each for name, each in START.items()}
    for at, start in enumerate((START, second)):
        found = {name: each[at] for name, each in batch.items()}
        np.testing.assert_allclose(leaves(found), leaves(stepped(CHAIN, start, 3)[0]), rtol=1e-12)
    assert state["parameters"]["b"]["t"].tolist() == [3, 3]


def loss_after_three(lr, start):
    params, _ = stepped(AdamW(betas=(0.8, 0.9)), start, 3, lr=lr)
    return (params["w"] ** 2).sum() + params["b"] ** 2


def finite_difference():
    each = [loss_after_three(0.1 + h, START) for h in (-2e-4, -1e-4, 1e-4, 2e-4)]
    return (each[0] - 8 * each[1] + 8 * each[2] - each[3]) / 12e-4


def test_an_update_is_differentiated_by_its_learning_rate():
    by_jax = jax.grad(loss_after_three)(0.1, jax.tree.map(jnp.asarray, START))
    tensors = {name: torch.tensor(each) for name, each in START.items()}
    lr = torch.tensor(0.1, dtype=torch.float64)
    by_torch = torch.func.grad(loss_after_three)(lr, tensors)
    wanted = finite_difference()
    for found in (by_jax, by_torch):
        assert abs(float(found) - wanted) <= 1e-8 * abs(wanted)


@pytest.mark.parametrize("engine", ["tape", "functional"])
def test_our_engines_differentiate_an_update(engine):
    with optshare.use(engine):
        by_lr = optshare.gradient(lambda lr: loss_after_three(lr, START), np.array(0.1))[0]
        by_start = optshare.gradient(lambda start: loss_after_three(0.1, start), START)[0]
    wanted = finite_difference()
    assert abs(float(by_lr) - wanted) <= 1e-8 * abs(wanted)
    by_jax = jax.grad(loss_after_three, argnums=1)(0.1, jax.tree.map(jnp.asarray, START))
    np.testing.assert_allclose(leaves(by_start), leaves(by_jax), rtol=1e-12)


def test_torch_batches_an_update():
    rule = Adam(lr=0.1)
    batch = torch.tensor([[1.0, 2.0], [3.0, -4.0]], dtype=torch.float64)

    def trained(w):
        state = rule.init(w)
        for _ in range(3):
            w, state = rule.update(w**3, state, w)
        return w

    found = torch.func.vmap(trained)(batch)
    for row, start in zip(found, batch, strict=True):
        np.testing.assert_allclose(row, trained(start.numpy()), rtol=1e-12)


@pytest.mark.parametrize("t", [1, 10, 1000])
def test_corrections_are_right_to_a_few_units_in_single_precision(t):
    rule, g = Adam(lr=1.0, betas=(0.0, 0.999), eps=0.0), np.float32([0.5])
    state = rule.init(g)
    state["parameters"]["t"] = t - 1
    traced = jax.tree.map(jnp.asarray, rule.init(g))
    traced["parameters"]["t"] = jnp.asarray(t - 1, "float32")  # so that all scalars are
    found = rule.update(jnp.asarray(g), traced, jnp.zeros(1, "float32"))[0]
    wanted = rule.update(g, state, np.zeros(1, np.float32))[0]
    assert found.dtype == np.float32
    assert abs(float(found[0] / wanted[0]) - 1) <= 4 * np.finfo(np.float32).eps


def test_the_plain_difference_would_be_off_by_a_hundred_units():
    naive = np.float32(1) - np.float32(0.999) ** np.float32(1)
    assert abs(naive / 1e-3 - 1) > 100 * np.finfo(np.float32).eps


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes_stay_and_half_precision_has_state_in_single(dtype):
    w = jnp.array([1.0, -2.0], dtype)
    rule = OptimizerChain(NAdam(lr=0.1), SGD(lr=1.0, momentum=0.5))
    state = rule.init(w)
    states = []
    for _ in range(2):
        w, state = jax.jit(rule.update)(w, state, w, **{"0.lr": jnp.asarray(0.1, "float64")})
        states.append(jax.tree.map(lambda each: each.dtype, state))
    assert w.dtype == dtype
    assert states[0] == states[1]
    kept = state["parameters"]
    assert kept["0.exp_avg"].dtype == kept["1.momentum_buffer"].dtype == np.float32


def test_a_schedule_that_cannot_be_traced_says_what_to_do():
    rule, w = SGD(lr=Cosine(0.1, 10)), jnp.ones(2)
    with pytest.raises(HyperparameterError, match=r"Cosine.*takes no traced step.*, lr=\.\.\.\)"):
        jax.jit(rule.update)(w, rule.init(w), w)
    found, _ = jax.jit(rule.update)(w, rule.init(w), w, lr=0.5)
    np.testing.assert_allclose(found, [0.5, 0.5])
