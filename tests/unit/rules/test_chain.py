"""Rules one after the other: fused or in stages, the same numbers, states and names."""

import pickle

import jax
import numpy as np
import pytest
import torch

import optshare
from optshare import Adam, AdamW, ArrayRule, Optimizer, OptimizerChain, Parameter, Rule
from optshare.errors import CheckpointError, HyperparameterError
from optshare.kernels.program import program_of
from optshare.rules import minimum


class Clipped(Rule):
    limit: float = 0.5

    def step(self, value, gradient, state, t):
        return {}, minimum(gradient, self.limit)


class Normalised(ArrayRule):
    """The gradient over its norm; counts its steps twice, in a number and in an array."""

    scale: float = 1.0

    def state_names(self):
        return ("total",)

    def scalar_names(self):
        return ("count",)

    def initial_state(self, ops, value, site):
        return {"total": ops.zeros_like(value[:1]), "count": float(site.place)}

    def array_step(self, ops, value, gradient, state, t):
        new = {"total": state["total"] + t, "count": state["count"] + 1}
        return new, self.scale * gradient / ops.sqrt(ops.sum(gradient * gradient))


def gradients(count, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=5).astype(dtype) for _ in range(count)]


def trained(rule, count=6, dtype=np.float64):
    p = Parameter(np.array([1.0, -2.0, 3.0, 0.5, 0.0], dtype))
    opt = Optimizer([p], rule)
    for g in gradients(count, dtype):
        opt.update([g])
    return p, opt


def test_a_chain_of_one_rule_is_that_rule():
    alone, chained = trained(AdamW(lr=0.1)), trained(OptimizerChain(AdamW(lr=0.1)))
    np.testing.assert_array_equal(alone[0].value, chained[0].value)
    kept = chained[1].state_for(chained[0])
    for name, array in alone[1].state_for(alone[0]).arrays.items():
        np.testing.assert_array_equal(array, kept.arrays[f"0.{name}"])


def test_an_empty_chain_is_plain_descent():
    p, _ = trained(OptimizerChain())
    start = np.array([1.0, -2.0, 3.0, 0.5, 0.0])
    np.testing.assert_allclose(p.value, start - sum(gradients(6)), rtol=0, atol=1e-14)


def test_each_piece_gets_the_step_of_the_one_before():
    p, _ = trained(OptimizerChain(Clipped(limit=0.2), Adam(lr=0.1)))
    tensor = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 0.5, 0.0], dtype=torch.float64))
    theirs = torch.optim.Adam([tensor], lr=0.1)
    for g in gradients(6):
        tensor.grad = torch.tensor(np.minimum(g, 0.2))
        theirs.step()
    np.testing.assert_allclose(p.value, tensor.detach().numpy(), rtol=0, atol=1e-14)


def test_the_order_matters():
    first, _ = trained(OptimizerChain(Clipped(), Adam(lr=0.1)))
    last, _ = trained(OptimizerChain(Adam(lr=0.1), Clipped()))
    assert np.abs(first.value - last.value).max() > 1e-3


def test_element_wise_pieces_are_one_program():
    chain = OptimizerChain(Clipped(), Adam(), Clipped(limit=0.1))
    program = program_of(chain)
    assert set(program.results) == {"1.exp_avg", "1.exp_avg_sq"}
    assert program is program_of(OptimizerChain(Clipped(limit=3.0), Adam(lr=1.0), Clipped()))


@pytest.mark.parametrize(
    "pieces",
    [(Normalised(),), (Normalised(), Adam(lr=0.1)), (Adam(lr=0.1), Normalised(scale=0.1)),
     (Clipped(), Adam(lr=0.1), Normalised(), Normalised(scale=2.0), AdamW(lr=0.1), Clipped())],
    ids=len,
)  # fmt: skip
def test_a_chain_in_stages_is_its_pieces_by_hand(pieces):
    p, opt = trained(OptimizerChain(*pieces))
    value = np.array([1.0, -2.0, 3.0, 0.5, 0.0])
    alone = [Parameter(np.zeros(5)) for _ in pieces]
    optimizers = [Optimizer([each], rule) for each, rule in zip(alone, pieces, strict=True)]
    for g in gradients(6):
        step = g
        for q, each in zip(alone, optimizers, strict=True):
            q.value = value
            each.update([step])
            step = value - q.value
        value = value - step
    np.testing.assert_allclose(p.value, value, rtol=0, atol=1e-13)
    names = {name.partition(".")[2] for name in opt.state_for(p).arrays}
    assert ("total" in names) == any(isinstance(each, Normalised) for each in pieces)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_stages_keep_the_dtype_and_the_gradient(dtype):
    p, opt = trained(OptimizerChain(Normalised(), Adam(lr=0.1)), dtype=dtype)
    working = np.float32 if dtype == np.float16 else dtype
    assert p.value.dtype == dtype
    assert {each.dtype for each in opt.state_for(p).arrays.values()} == {np.dtype(working)}
    g = np.ones(5, dtype)
    opt.update([g])
    assert (g == 1).all()


def test_a_place_on_another_engine_gives_the_same_numbers():
    rule = OptimizerChain(Clipped(), Normalised(), Adam(lr=0.1))
    p, _ = trained(rule)
    tensor = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 0.5, 0.0], dtype=torch.float64))
    opt = Optimizer([tensor], rule)
    with jax.enable_x64():
        tree = {"w": jax.numpy.asarray([1.0, -2.0, 3.0, 0.5, 0.0])}
        other = Optimizer(tree, rule)
        for g in gradients(6):
            opt.update([torch.tensor(g)])
            other.update({"w": jax.numpy.asarray(g)})
        np.testing.assert_allclose(other.tree["w"], p.value, rtol=0, atol=1e-15)
    np.testing.assert_allclose(tensor.detach().numpy(), p.value, rtol=0, atol=1e-15)


def test_numbers_of_array_rules_are_kept_per_parameter():
    first, second = Parameter(np.ones(2)), Parameter(np.ones(2))
    opt = Optimizer([first, second], OptimizerChain(Normalised(), Adam()))
    for _ in range(3):
        opt.update([np.ones(2), np.ones(2)])
    assert opt.state_for(first).scalars == {"0.count": 3.0}
    assert opt.state_for(second).scalars == {"0.count": 4.0}
    np.testing.assert_array_equal(opt.state_for(first).total, [6.0])


def test_a_saved_chain_goes_on_as_before():
    chain = OptimizerChain(Clipped(), Normalised(), Adam(lr=0.1))
    p, opt = trained(chain)
    q = Parameter(p.value)
    other = Optimizer([q], chain)
    other.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for g in gradients(3):
        opt.update([g])
        other.update([g])
    np.testing.assert_array_equal(p.value, q.value)


def test_the_state_of_a_chain_of_other_pieces_is_refused():
    _, opt = trained(OptimizerChain(Clipped(), Adam()))
    p = Parameter(np.zeros(5))
    with pytest.raises(CheckpointError, match=r"OptimizerChain\(Clipped, Adam\)"):
        Optimizer([p], OptimizerChain(Adam(), Clipped())).load_state_dict(opt.state_dict())


def test_hyperparameters_are_adjusted_by_name_where_one_piece_has_it():
    p, opt = trained(OptimizerChain(Clipped(), Adam(lr=0.1)))
    opt.adjust(lr=0.5, limit=0.25)
    state = opt.state_for(p)
    assert (state.lr, state.limit, state.exp_avg.shape) == (0.5, 0.25, (5,))
    assert state.t == 6


def test_a_name_that_two_pieces_have_must_say_which():
    p, opt = trained(OptimizerChain(Adam(lr=0.1), Adam(lr=0.2)))
    with pytest.raises(HyperparameterError, match=r"'lr' more than once; name one of 0\.lr, 1\.lr"):
        opt.adjust(lr=0.5)
    with pytest.raises(AttributeError, match=r"0\.lr, 1\.lr"):
        _ = opt.state_for(p).lr
    opt.adjust(**{"1.lr": 0.5})
    assert opt.state_for(p).rule.hyperparameters()["1.lr"] == 0.5


def test_an_unknown_name_raises_and_names_the_choices():
    _, opt = trained(OptimizerChain(Clipped(), Adam()))
    with pytest.raises(HyperparameterError, match=r"no hyperparameter 'rho'; choices: 0\.limit"):
        opt.adjust(rho=1)


def test_a_chain_in_a_chain_is_one_chain():
    nested = OptimizerChain(OptimizerChain(Clipped(), Adam()), Clipped())
    assert nested == OptimizerChain(Clipped(), Adam(), Clipped())


@pytest.mark.parametrize("wrong", [optshare.Adam, 0.1, "adam", None])
def test_a_piece_that_is_no_rule_is_refused(wrong):
    with pytest.raises(TypeError, match="OptimizerChain takes unbound rules"):
        OptimizerChain(Clipped(), wrong)


def test_schedules_act_in_a_chain_and_in_array_rules():
    p, _ = trained(OptimizerChain(Normalised(scale=lambda step: 1 / (1 + step)), Clipped()))
    value = np.array([1.0, -2.0, 3.0, 0.5, 0.0])
    for step, g in enumerate(gradients(6)):
        value = value - np.minimum(g / np.sqrt(np.sum(g * g)) / (1 + step), 0.5)
    np.testing.assert_allclose(p.value, value, rtol=0, atol=1e-15)


def test_an_option_that_adds_a_state_array_begins_it_then():
    p, opt = trained(OptimizerChain(Clipped(), optshare.SGD(lr=0.1)), count=2)
    opt.adjust(momentum=0.9)
    opt.update([np.ones(5)])
    assert list(opt.state_for(p).arrays) == ["1.momentum_buffer"]
