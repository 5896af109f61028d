import jax
import numpy as np
import pytest
import torch

import optshare
from optshare import SGD, Adam, Optimizer, OptimizerChain, Parameter
from optshare.errors import HyperparameterError
from optshare.transforms import ClipGlobalNorm, DynamicLossScale, LossScale


def test_a_step_gives_the_loss_itself_and_the_same_update():
    p, q = Parameter([1.0, -2.0]), Parameter([1.0, -2.0])
    plain, scaled = Optimizer([p], Adam()), Optimizer([q], Adam(), transforms=[LossScale()])
    for _ in range(3):
        losses = [o.step(lambda w: (w * w * w).sum(), w) for o, w in ((plain, p), (scaled, q))]
        assert losses[0] == losses[1]
    np.testing.assert_array_equal(p.value, q.value)


def test_gradients_too_small_for_half_precision_survive():
    x = np.full(1, 1e-4, np.float16)
    p, q = Parameter(np.ones(1), np.float16), Parameter(np.ones(1), np.float16)
    rule = Adam(lr=0.5, eps=1e-12)
    Optimizer([p], rule).step(lambda: (p * x * x).sum())
    Optimizer([q], rule, transforms=[LossScale(scale=2.0**12)]).step(lambda: (q * x * x).sum())
    assert p.value[0] == 1.0
    assert q.value[0] == 0.5


def test_the_dynamic_scale_is_torchs_grad_scaler():
    options = {"init_scale": 64.0, "growth_interval": 3}
    p, tensor = Parameter([1.0]), torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    opt = Optimizer([p], OptimizerChain(DynamicLossScale(**options), SGD(lr=0.1)))
    other = torch.optim.SGD([tensor], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", **options)
    for g in [1.0, 1.0, np.inf, 1.0, 2.0, 3.0, 1.0, np.nan, np.inf, *np.ones(7)]:
        opt.update([np.array([g]) * opt.loss_scale])
        tensor.grad = torch.tensor([g], dtype=torch.float64) * scaler.scale(torch.ones(1)).item()
        scaler.step(other)
        scaler.update()
        assert opt.loss_scale == scaler.get_scale()
        np.testing.assert_allclose(p.value, tensor.detach().numpy(), rtol=0, atol=1e-15)


def test_a_step_that_overflows_is_left_out_and_halves_the_scale():
    p = Parameter(np.full(1, 100.0), np.float16)
    opt = Optimizer([p], SGD(lr=0.001), transforms=[DynamicLossScale(init_scale=2.0**15)])
    with np.errstate(over="ignore"):
        opt.step(lambda: (p * p).sum())
    assert (p.value[0], opt.loss_scale, opt.steps) == (100.0, 2.0**14, 0)


def test_clipping_after_the_scale_clips_the_true_norm():
    p = Parameter([3.0, 4.0])
    rule = OptimizerChain(LossScale(), ClipGlobalNorm(max_norm=5.0, eps=0.0), SGD(lr=1.0))
    Optimizer([p], rule).step(lambda: (p * p).sum() / 2 * 2)
    np.testing.assert_allclose(p.value, [0.0, 0.0], atol=1e-15)


def test_jax_compiles_nothing_anew_when_the_scale_changes():
    traces = []

    def loss(tree, x):
        traces.append(1)
        return (tree["w"] * x).sum()

    opt = Optimizer(
        {"w": jax.numpy.ones(2)}, SGD(lr=0.1), transforms=[DynamicLossScale(growth_interval=1)]
    )
    x = jax.numpy.ones(2)
    first = opt.step(loss, x)
    count = len(traces)
    for _ in range(3):
        opt.step(loss, x)
    assert (float(first), len(traces), opt.loss_scale) == (2.0, count, 2.0**20)
    np.testing.assert_allclose(opt.tree["w"], 0.6, rtol=1e-6)


def test_backward_passes_use_the_scaled_loss():
    tensor = torch.nn.Parameter(torch.ones(2))
    opt = Optimizer([tensor], SGD(lr=0.5), transforms=[LossScale(scale=8.0)])
    opt.scaled((tensor * tensor).sum()).backward()
    opt.step()
    assert tensor.tolist() == [0.0, 0.0]


def test_the_scale_is_saved_and_reset():
    p = Parameter([1.0])
    opt = Optimizer([p], SGD(), transforms=[DynamicLossScale(init_scale=4.0)])
    opt.update([np.array([np.inf])])
    other = Optimizer([Parameter([1.0])], SGD(), transforms=[DynamicLossScale()])
    other.load_state_dict(opt.state_dict())
    assert other.loss_scale == 2.0
    opt.reset()
    assert opt.loss_scale == 4.0


def test_without_a_transform_the_scale_is_one():
    assert optshare.Adam([Parameter([1.0])]).loss_scale == 1.0


@pytest.mark.parametrize(
    "wrong",
    [{"init_scale": 0.0}, {"growth_factor": 1.0}, {"backoff_factor": 1.0}, {"growth_interval": 0}],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(HyperparameterError, match=next(iter(wrong))):
        DynamicLossScale(**wrong)


def test_a_scale_of_zero_is_refused():
    with pytest.raises(HyperparameterError, match="scale must be in"):
        LossScale(scale=0.0)


def test_the_first_scale_may_be_a_schedule():
    transform = DynamicLossScale(init_scale=lambda step: 8.0 - step)
    assert Optimizer([Parameter([1.0])], SGD(), transforms=[transform]).loss_scale == 8.0
