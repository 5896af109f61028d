"""The pure form gives the numbers of the Optimizer, with the arrays of every engine."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
from optshare import ArrayRule, Optimizer, OptimizerChain, Parameter
from optshare.errors import HyperparameterError
from optshare.rules.array import correction
from tests.unit.rules.cases import ARRAY_CASES, CASES, made

ENGINES = {"numpy": np.asarray, "torch": torch.tensor, "jax": jnp.asarray}


class Normalised(ArrayRule):
    """The gradient over its norm, and averages of it in an array and a number."""

    scale: float = 1.0

    def state_names(self):
        return ("average",)

    def scalar_names(self):
        return ("halving",)

    def initial_state(self, ops, value, site):
        return {"average": ops.zeros_like(value), "halving": 1.0 + site.place}

    def array_step(self, ops, value, gradient, state, t):
        average = state["average"] + gradient / t
        new = {"average": average, "halving": state["halving"] / 2}
        norm = ops.sqrt(ops.sum(gradient * gradient)) + 1e-3
        return new, self.scale * state["halving"] * average / norm * correction(ops, 0.9, t)


RULES = {
    **{case: made(case, lr=0.1) for case in CASES},
    "an array rule": Normalised(),
    "a chain": OptimizerChain(Normalised(scale=2.0), optshare.NAdam(lr=0.1)),
    "a chain that ends in one": OptimizerChain(optshare.Adam(), Normalised(scale=0.1)),
    "a schedule": optshare.AdamW(lr=lambda step: 0.1 / (1 + step)),
}
START = {"w": np.array([1.0, -2.0, 3.0, 0.5]), "b": [np.array(0.25), np.zeros((0, 2))]}


def gradients(steps):
    """One without a gradient of w, now and then."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        w = None if step == 2 else rng.normal(size=4)
        yield {"w": w, "b": [rng.normal(size=()), np.zeros((0, 2))]}


def mapped(function, tree):
    if isinstance(tree, dict):
        return {name: mapped(function, each) for name, each in tree.items()}
    if isinstance(tree, list):
        return [mapped(function, each) for each in tree]
    return tree if tree is None else function(tree)


def by_optimizer(rule, steps):
    w, b, empty = Parameter(START["w"]), Parameter(START["b"][0]), Parameter(START["b"][1])
    opt = Optimizer({"w": w, "b": [b, empty]}, rule)
    for g in gradients(steps):
        opt.update(g)
    return opt, {"w": w, "b": [b, empty]}


def assert_is_the_optimizers(params, state, rule, deviation):
    opt, kept = by_optimizer(rule, state["step"])
    assert state["step"] == opt.steps == 5
    for found, key, its in (
        (params["w"], kept["w"], state["parameters"]["w"]),
        (params["b"][0], kept["b"][0], state["parameters"]["b"][0]),
        (params["b"][1], kept["b"][1], state["parameters"]["b"][1]),
    ):
        wanted = opt.state_for(key)
        assert deviation(key.value, np.asarray(found), 0.1) <= 1e-12
        assert its["t"] == wanted.t
        assert its.keys() == {"t", *wanted.arrays, *wanted.scalars}
        for name, array in wanted.arrays.items():
            assert deviation(array, np.asarray(its[name])) <= 1e-12
        for name, number in wanted.scalars.items():
            assert abs(its[name] - number) <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_it_gives_the_numbers_of_the_optimizer(rule, engine, deviation):
    params = mapped(ENGINES[engine], START)
    state = rule.init(params)
    for g in gradients(5):
        params, state = rule.update(mapped(ENGINES[engine], g), state, params)
    assert type(params["w"]) is type(ENGINES[engine](START["w"]))
    assert_is_the_optimizers(params, state, rule, deviation)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_counts_and_numbers_that_are_arrays_give_the_same(rule, deviation):
    params = mapped(torch.tensor, START)
    state = rule.init(params)
    dtypes = {int: torch.int64, float: torch.float64}
    for at in (state["parameters"]["w"], *state["parameters"]["b"]):
        numbers = {name: each for name, each in at.items() if type(each) in dtypes}
        at.update({name: torch.tensor(n, dtype=dtypes[type(n)]) for name, n in numbers.items()})
    for g in gradients(5):
        params, state = rule.update(mapped(torch.tensor, g), state, params)
    assert isinstance(state["parameters"]["w"]["t"], torch.Tensor)
    assert_is_the_optimizers(params, state, rule, deviation)


MATRIX = np.array([[1.0, -2.0], [3.0, 0.5], [0.25, -1.0]])
WHOLE = {
    **{case: made(case, lr=0.1) for case in ARRAY_CASES},
    "muon beside adamw": optshare.Muon(lr=0.1),
    "pieces": OptimizerChain(
        optshare.ClipNorm(1.0), optshare.L2(0.1), optshare.Adam(lr=0.1), optshare.Lookahead(k=2)
    ),
    "averages": OptimizerChain(
        optshare.AdaptiveClip(0.1), optshare.SGD(lr=0.1), optshare.EMA(0.9), optshare.SWA(start=2)
    ),
    "noise": OptimizerChain(optshare.Noise(0.1), optshare.Centralisation(), optshare.Lion(lr=0.1)),
}


@pytest.mark.parametrize("engine", ["numpy", "torch", "counts are tensors"])
@pytest.mark.parametrize("rule", WHOLE.values(), ids=WHOLE)
def test_rules_of_whole_arrays_give_the_numbers_of_the_optimizer(rule, engine, deviation):
    made_of = ENGINES.get(engine, torch.tensor)
    key, found = Parameter(MATRIX), made_of(MATRIX)
    opt, state, rng = Optimizer([key], rule), rule.init(found), np.random.default_rng(0)
    if engine not in ENGINES:
        state["parameters"]["t"] = torch.tensor(0)
    for _ in range(5):
        g = rng.normal(size=MATRIX.shape)
        opt.update([g])
        found, state = rule.update(made_of(g), state, found)
    assert deviation(key.value, np.asarray(found), 0.1) <= 1e-12
    wanted, its = opt.state_for(key), state["parameters"]
    assert its.keys() == {"t", *wanted.arrays, *wanted.scalars}
    for name, array in wanted.arrays.items():
        assert deviation(array, np.asarray(its[name])) <= 1e-12


def test_a_transform_of_all_gradients_is_refused():
    rule = OptimizerChain(optshare.ClipGlobalNorm(1.0), optshare.SGD(lr=0.1))
    with pytest.raises(HyperparameterError, match=r"ClipGlobalNorm.* acts on all gradients"):
        rule.init(START)
