import pickle

import numpy as np
import pytest
import torch

from optshare import SGD, Adam, Optimizer, OptimizerChain, Parameter
from optshare.errors import HyperparameterError
from optshare.transforms import Accumulate, ClipGlobalNorm


def gradients(step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=shape) for shape in [(3,), (2, 2), ()]]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accumulated_gradients_are_torchs_accumulated_backward_passes(reduction, deviation):
    start = gradients(100)
    ours = [Parameter(each) for each in start]
    theirs = [torch.nn.Parameter(torch.tensor(each)) for each in start]
    opt = Optimizer(ours, OptimizerChain(Accumulate(every=3, reduction=reduction), Adam(lr=0.1)))
    other = torch.optim.Adam(theirs, lr=0.1)
    for step in range(12):
        opt.update(gradients(step))
        for tensor, g in zip(theirs, gradients(step), strict=True):
            part = torch.tensor(g) / (3 if reduction == "mean" else 1)
            tensor.grad = part if tensor.grad is None else tensor.grad + part
        if step % 3 == 2:
            other.step()
            other.zero_grad()
        for p, tensor in zip(ours, theirs, strict=True):
            assert deviation(tensor.detach().numpy(), p.value, 0.1) <= 1e-12
    assert opt.steps == 4 == opt.state_for(ours[0]).t


def test_the_gradients_that_are_given_are_not_kept_nor_changed():
    p, g = Parameter([0.0]), np.array([1.0])
    opt = Optimizer([p], SGD(lr=1.0), transforms=[Accumulate(every=2)])
    opt.update([g])
    g[0] = 100.0
    opt.update([np.array([3.0])])
    assert p.value[0] == -2.0


def test_a_parameter_without_a_gradient_in_the_last_batch_is_updated_with_the_others():
    p, q, r = Parameter([0.0]), Parameter([0.0]), Parameter([0.0])
    opt = Optimizer([p, q, r], SGD(lr=1.0), transforms=[Accumulate(every=2)])
    opt.update([np.array([2.0]), np.array([2.0]), None])
    opt.update([np.array([2.0]), None, None])
    assert (p.value[0], q.value[0], r.value[0]) == (-2.0, -1.0, 0.0)
    assert [opt.state_for(each).t for each in (p, q, r)] == [1, 1, 0]


def test_schedules_and_step_counts_see_only_whole_steps():
    p = Parameter([0.0])
    rule = OptimizerChain(Accumulate(every=2), SGD(lr=lambda step: 0.5**step))
    opt = Optimizer([p], rule)
    for _ in range(4):
        opt.update([np.array([1.0])])
    assert p.value[0] == -1.5


def test_clipping_after_accumulating_clips_the_whole():
    p = Parameter([0.0])
    clip = ClipGlobalNorm(max_norm=1.0, eps=0.0)
    first = Optimizer([p], OptimizerChain(Accumulate(every=2, reduction="sum"), clip, SGD(lr=1.0)))
    for g in (3.0, -2.5):
        first.update([np.array([g])])
    assert p.value[0] == -0.5
    p.value = [0.0]
    second = Optimizer([p], OptimizerChain(clip, Accumulate(every=2, reduction="sum"), SGD(lr=1.0)))
    for g in (3.0, -2.5):
        second.update([np.array([g])])
    assert p.value[0] == 0.0


def test_a_saved_optimizer_goes_on_in_the_middle_of_a_step():
    rule = OptimizerChain(Accumulate(every=3), Adam(lr=0.1))
    p = Parameter([1.0, 2.0])
    opt = Optimizer({"w": p}, rule)
    for step in range(4):
        opt.update([np.full(2, step + 1.0)])
    q = Parameter(p.value)
    other = Optimizer({"w": q}, rule)
    other.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for each in (opt, other):
        each.update([np.full(2, 5.0)])
        each.update([np.full(2, 7.0)])
    np.testing.assert_array_equal(p.value, q.value)
    assert opt.steps == other.steps == 2


def test_reset_forgets_what_was_accumulated():
    p = Parameter([0.0])
    opt = Optimizer([p], SGD(lr=1.0), transforms=[Accumulate(every=2)])
    opt.update([np.array([100.0])])
    opt.reset()
    opt.update([np.array([1.0])])
    opt.update([np.array([1.0])])
    assert p.value[0] == -1.0


def test_half_precision_gradients_are_summed_in_single_precision():
    p = Parameter(np.zeros(1), np.float16)
    opt = Optimizer([p], SGD(lr=1.0), transforms=[Accumulate(every=4)])
    for _ in range(4):
        opt.update([np.array([5e4], np.float16)])
    assert p.value[0] == -5e4


def test_a_step_that_accumulates_through_the_function_gives_each_loss():
    p = Parameter([2.0])
    opt = Optimizer([p], SGD(lr=0.25), transforms=[Accumulate(every=2)])
    losses = [float(opt.step(lambda: (p * p).sum())) for _ in range(4)]
    assert losses == [4.0, 4.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"every": 0}, "every"),
        ({"every": 1.5}, "every"),
        ({"every": lambda step: 2}, "every must be an integer"),
        ({"reduction": "max"}, "'mean' or 'sum'"),
    ],
)
def test_values_out_of_range_are_refused(wrong, message):
    with pytest.raises(HyperparameterError, match=message):
        Accumulate(**wrong)
